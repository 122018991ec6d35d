//! Everything here holds on PostgreSQL, too.

#[test]
fn everything_holds_on_postgresql_too() {
    databases::again_on_postgresql();
}
