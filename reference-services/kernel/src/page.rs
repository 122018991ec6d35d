//! page — which part of a collection is asked for: `page`, `size` and `sort`, as Spring Data REST reads them.

/// What `size` is without being asked for **\[S\]**.
pub const SIZE_DEFAULT: u64 = 20;
/// No page is longer, whatever is asked for: Spring's limit.
pub const SIZE_MAX: u64 = 1000;

/// One page of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Counted from 0.
    pub number: u64,
    /// Rows on a page, 1 to [`SIZE_MAX`].
    pub size: u64,
    /// Fields to sort by, first the most important, each rising or not.
    pub sort: Vec<Order>,
}

/// A field to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The field's name.
    pub field: String,
    /// From the highest to the lowest.
    pub falling: bool,
}

impl Page {
    /// Reads a query string. What cannot be read counts as not given, as in Spring.
    pub fn of_query(query: &str) -> Page {
        let mut page = Page {
            number: 0,
            size: SIZE_DEFAULT,
            sort: Vec::new(),
        };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "page" => page.number = value.parse().unwrap_or(0),
                "size" => {
                    page.size = value
                        .parse()
                        .ok()
                        .filter(|size| *size > 0)
                        .unwrap_or(SIZE_DEFAULT)
                        .min(SIZE_MAX)
                }
                "sort" => page.sort.extend(orders(value)),
                _ => {}
            }
        }
        page
    }

    /// How many pages `total` rows take.
    pub fn pages(&self, total: u64) -> u64 {
        total.div_ceil(self.size)
    }

    /// How many rows come before this page.
    pub fn offset(&self) -> u64 {
        self.number.saturating_mul(self.size)
    }
}

fn orders(value: &str) -> Vec<Order> {
    let value = value.replace("%2C", ",").replace("%2c", ",");
    let mut words: Vec<&str> = value.split(',').filter(|word| !word.is_empty()).collect();
    let direction = words.last().map(|word| word.to_ascii_lowercase());
    let falling = direction.as_deref() == Some("desc");
    if falling || direction.as_deref() == Some("asc") {
        words.pop();
    }
    words
        .into_iter()
        .map(|field| Order {
            field: field.to_owned(),
            falling,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_asked_is_the_first_twenty() {
        assert_eq!(
            Page::of_query(""),
            Page {
                number: 0,
                size: 20,
                sort: vec![]
            }
        );
    }

    #[test]
    fn a_page_is_asked_for_by_number_size_and_sort() {
        let order = |field: &str, falling| Order {
            field: field.to_owned(),
            falling,
        };
        let page = Page::of_query("page=2&size=5&sort=price,name,desc&sort=host");
        assert_eq!(
            page,
            Page {
                number: 2,
                size: 5,
                sort: vec![
                    order("price", true),
                    order("name", true),
                    order("host", false)
                ]
            }
        );
        assert_eq!((page.offset(), page.pages(11), page.pages(0)), (10, 3, 0));
    }

    #[test]
    fn nonsense_counts_as_not_given_and_size_has_a_limit() {
        assert_eq!(
            Page::of_query("page=x&size=0"),
            Page {
                number: 0,
                size: 20,
                sort: vec![]
            }
        );
        assert_eq!(Page::of_query("size=5000").size, SIZE_MAX);
    }
}
