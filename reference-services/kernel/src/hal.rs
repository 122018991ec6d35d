//! hal — resources as Spring Data REST put them on the wire, to the byte.

use crate::json::pretty;
use crate::page::Page;
use crate::shape::Fields;
use crate::store::Row;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Content type of what a request created or changed **\[S\]**.
pub const JSON: &str = "application/json;charset=UTF-8";
/// Content type of what is read **\[S\]**.
pub const HAL_JSON: &str = "application/hal+json;charset=UTF-8";
/// The message of a 500 after a synchronous call failed **\[S\]**.
pub const ROLLED_BACK: &str = "Could not commit JPA transaction; nested exception is javax.persistence.RollbackException: \
                               Error while committing the transaction";

/// The names of a collection: `rooms`, and `room` for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The collection's name, path and key under `_embedded`.
    pub many: &'static str,
    /// The link from an item to itself beside `self`.
    pub one: &'static str,
}

/// Where an item lives: `http://room:8080/rooms/10`. `base` is scheme and host as the client wrote them.
pub fn location(base: &str, relation: Relation, id: i64) -> String {
    format!("{base}/{}/{id}", relation.many)
}

/// One item: its fields, then its links.
pub fn item(base: &str, relation: Relation, row: &Row) -> String {
    pretty(&linked(base, relation, row))
}

/// One page of a collection. Links to other pages appear only where there are other pages.
pub fn collection(base: &str, relation: Relation, page: &Page, rows: &[Row], total: u64) -> String {
    let address = format!("{base}/{}", relation.many);
    let items: Vec<Value> = rows.iter().map(|row| linked(base, relation, row)).collect();
    let pages = page.pages(total);
    let sort: String = page
        .sort
        .iter()
        .map(|o| {
            format!(
                "&sort={},{}",
                o.field,
                if o.falling { "desc" } else { "asc" }
            )
        })
        .collect();
    let at =
        |number: u64| json!({"href": format!("{address}?page={number}&size={}{sort}", page.size)});

    let mut links = Fields::new();
    if pages > 1 {
        links.insert("first".to_owned(), at(0));
    }
    if pages > 1 && page.number > 0 {
        links.insert("prev".to_owned(), at(page.number - 1));
    }
    links.insert(
        "self".to_owned(),
        json!({"href": format!("{address}{{?page,size,sort}}"), "templated": true}),
    );
    if page.number + 1 < pages {
        links.insert("next".to_owned(), at(page.number + 1));
    }
    if pages > 1 {
        links.insert("last".to_owned(), at(pages - 1));
    }
    links.insert(
        "profile".to_owned(),
        json!({"href": format!("{base}/profile/{}", relation.many)}),
    );

    pretty(&json!({
        "_embedded": {relation.many: items},
        "_links": links,
        "page": {"size": page.size, "totalElements": total, "totalPages": pages, "number": page.number},
    }))
}

/// The service's root: a link to each of its collections.
pub fn root(base: &str, relations: &[Relation]) -> String {
    let links: Fields = relations
        .iter()
        .map(|relation| {
            let href = format!("{base}/{}{{?page,size,sort}}", relation.many);
            (
                relation.many.to_owned(),
                json!({"href": href, "templated": true}),
            )
        })
        .collect();
    pretty(&json!({"_links": links}))
}

/// An error as Spring Boot told it: compact, in this order of keys.
pub fn error(at: Timestamp, status: http::StatusCode, message: &str, path: &str) -> String {
    json!({
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string(),
        "status": status.as_u16(),
        "error": status.canonical_reason().unwrap_or("None"),
        "message": message,
        "path": path,
    })
    .to_string()
}

fn linked(base: &str, relation: Relation, row: &Row) -> Value {
    let href = location(base, relation, row.id);
    let mut item = row.fields.clone();
    item.insert(
        "_links".to_owned(),
        json!({"self": {"href": href}, relation.one: {"href": href}}),
    );
    Value::Object(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    const ROOMS: Relation = Relation {
        many: "rooms",
        one: "room",
    };
    const REVIEWS: Relation = Relation {
        many: "reviews",
        one: "review",
    };

    fn room(id: i64) -> Row {
        let Value::Object(fields) =
            json!({"name": "호텔4", "price": 1000, "address": "서울", "host": "Superman"})
        else {
            unreachable!()
        };
        Row { id, fields }
    }

    #[test]
    fn a_room_is_printed_as_in_the_report() {
        assert_eq!(
            item("http://room:8080", ROOMS, &room(10)),
            r#"{
  "name" : "호텔4",
  "price" : 1000,
  "address" : "서울",
  "host" : "Superman",
  "_links" : {
    "self" : {
      "href" : "http://room:8080/rooms/10"
    },
    "room" : {
      "href" : "http://room:8080/rooms/10"
    }
  }
}"#
        );
    }

    #[test]
    fn a_room_takes_238_to_244_bytes_by_the_length_of_its_id() {
        let bytes =
            [10, 100, 1000, 10_000].map(|id| item("http://room:8080", ROOMS, &room(id)).len());
        assert_eq!(bytes, [238, 240, 242, 244]);
    }

    #[test]
    fn an_empty_list_of_reviews_takes_349_bytes() {
        let list = collection("http://review:8080", REVIEWS, &Page::of_query(""), &[], 0);
        assert_eq!(
            list,
            r#"{
  "_embedded" : {
    "reviews" : [ ]
  },
  "_links" : {
    "self" : {
      "href" : "http://review:8080/reviews{?page,size,sort}",
      "templated" : true
    },
    "profile" : {
      "href" : "http://review:8080/profile/reviews"
    }
  },
  "page" : {
    "size" : 20,
    "totalElements" : 0,
    "totalPages" : 0,
    "number" : 0
  }
}"#
        );
        assert_eq!(list.len(), 349);
    }

    #[test]
    fn a_list_embeds_its_items_without_indenting_the_array() {
        let list = collection(
            "http://room:8080",
            ROOMS,
            &Page::of_query(""),
            &[room(1), room(2)],
            2,
        );
        assert!(
            list.contains("\"rooms\" : [ {\n      \"name\" : \"호텔4\",\n"),
            "{list}"
        );
        assert!(list.contains("\n    }, {\n      \"name\""), "{list}");
        assert!(
            list.contains("\n    } ]\n  },\n  \"_links\" : {\n    \"self\""),
            "{list}"
        );
    }

    #[test]
    fn several_pages_link_to_each_other() {
        let list = collection(
            "http://room:8080",
            ROOMS,
            &Page::of_query("page=1&size=1&sort=price,desc"),
            &[room(2)],
            3,
        );
        let list: Value = serde_json::from_str(&list).unwrap();
        let links = list["_links"].as_object().unwrap();
        assert_eq!(
            links.keys().collect::<Vec<_>>(),
            ["first", "prev", "self", "next", "last", "profile"]
        );
        assert_eq!(
            links["next"]["href"],
            "http://room:8080/rooms?page=2&size=1&sort=price,desc"
        );
        assert_eq!(
            list["page"],
            json!({"size": 1, "totalElements": 3, "totalPages": 3, "number": 1})
        );
    }

    #[test]
    fn the_500_after_a_rollback_takes_247_bytes() {
        let at: Timestamp = "2020-08-05T12:33:03.761Z".parse().unwrap();
        let body = error(at, StatusCode::INTERNAL_SERVER_ERROR, ROLLED_BACK, "/rooms");
        assert_eq!(
            body,
            "{\"timestamp\":\"2020-08-05T12:33:03.761+0000\",\"status\":500,\"error\":\"Internal Server Error\",\
             \"message\":\"Could not commit JPA transaction; nested exception is javax.persistence.RollbackException: \
             Error while committing the transaction\",\"path\":\"/rooms\"}"
        );
        assert_eq!(body.len(), 247);
    }
}
