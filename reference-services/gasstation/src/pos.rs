//! pos — the till. Sells at the price it was last told, and takes back what was sold. It needs nobody for that.

use crate::events::{Happened, Price, SaleMade};
use crate::rows;
use kernel::{Asked, Collection, Effect, Method, Service};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Something sold: `sold`, or `canceled`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sale {
    product_id: String,
    qty: i64,
    price: i64,
    amount: i64,
    status: String,
}

/// The service.
pub fn service() -> Service {
    let sales = Collection::new("sales", "sale")
        .completing(sold)
        .on_create(on_create)
        .on_update(on_update)
        .on_delete(taken_back);
    Service::new("pos")
        .collection::<Sale>(sales)
        .collection(Collection::<Price>::new("prices", "price"))
        .operation(Method::POST, "/sales/{id}/cancel", cancel)
        .on_event(on_event)
}

fn sold(sale: Sale) -> Sale {
    Sale {
        price: 0,
        amount: 0,
        status: "sold".to_owned(),
        ..sale
    }
}

/// What it costs is looked up in the transaction that stores the sale.
fn on_create(id: i64, sale: &Sale) -> Vec<Effect> {
    let priced = {
        let sale = sale.clone();
        Effect::look(
            "prices",
            "productId",
            sale.product_id.clone(),
            move |rows| {
                let price = rows.first().map_or(0, |row| row.typed::<Price>().price);
                priced(id, &sale, price)
            },
        )
    };
    [rows::checked(&sale.product_id, sale.qty), vec![priced]].concat()
}

fn priced(id: i64, sale: &Sale, price: i64) -> Vec<Effect> {
    let amount = price.saturating_mul(sale.qty);
    let sale = Sale {
        price,
        amount,
        ..sale.clone()
    };
    vec![
        Effect::change("sales", "id", id, json!({"price": price, "amount": amount})),
        Effect::publish(id, &Happened::Sold(sale.told(id))),
    ]
}

/// Takes a sale back. Taken back again, it is answered the same and nothing happens.
fn cancel(asked: &Asked) -> Vec<Effect> {
    rows::asked_for(asked, "sales", |id, was: Sale| {
        let is = Sale {
            status: "canceled".to_owned(),
            ..was.clone()
        };
        let told = [rows::status("sales", id, &is.status), rows::reply(id, &is)];
        [on_update(id, &was, &is), told.to_vec()].concat()
    })
}

fn on_update(id: i64, was: &Sale, is: &Sale) -> Vec<Effect> {
    if is.is_canceled() {
        taken_back(id, was)
    } else {
        vec![]
    }
}

fn taken_back(id: i64, sale: &Sale) -> Vec<Effect> {
    if sale.is_canceled() {
        vec![]
    } else {
        vec![Effect::publish(id, &Happened::SaleCanceled(sale.told(id)))]
    }
}

fn on_event(event: &Happened) -> Vec<Effect> {
    match event {
        Happened::PriceChanged(price) => vec![Effect::upsert(
            "prices",
            "productId",
            price.product_id.as_str(),
            json!({"price": price.price}),
        )],
        _ => vec![],
    }
}

impl Sale {
    fn is_canceled(&self) -> bool {
        self.status == "canceled"
    }

    fn told(&self, sale_id: i64) -> SaleMade {
        SaleMade {
            sale_id,
            product_id: self.product_id.clone(),
            qty: self.qty,
            amount: self.amount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(status: &str) -> Sale {
        Sale {
            product_id: "CD1001".into(),
            qty: 30,
            status: status.into(),
            ..Sale::default()
        }
    }

    fn told(amount: i64) -> SaleMade {
        SaleMade {
            sale_id: 7,
            product_id: "CD1001".into(),
            qty: 30,
            amount,
        }
    }

    #[test]
    fn a_sale_is_told_with_what_it_brought() {
        assert_eq!(
            priced(7, &sale("sold"), 1_500),
            [
                Effect::change("sales", "id", 7, json!({"price": 1_500, "amount": 45_000})),
                Effect::publish(7, &Happened::Sold(told(45_000)))
            ]
        );
    }

    #[test]
    fn a_sale_is_taken_back_once() {
        let (sold, canceled) = (sale("sold"), sale("canceled"));
        let news = Effect::publish(7, &Happened::SaleCanceled(told(0)));
        assert_eq!(on_update(7, &sold, &canceled), std::slice::from_ref(&news));
        assert_eq!(on_update(7, &canceled, &canceled), []);
        assert_eq!(on_update(7, &sold, &sold), []);
        assert_eq!(taken_back(7, &sold), [news]);
        assert_eq!(taken_back(7, &canceled), []);
    }

    #[test]
    fn whatever_its_sender_says_a_sale_is_sold_at_no_price_of_his() {
        let asked = Sale {
            price: 1,
            amount: 1,
            ..sale("canceled")
        };
        assert_eq!(super::sold(asked), sale("sold"));
    }
}
