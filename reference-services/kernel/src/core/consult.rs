//! consult — the first half of what is to be done: undo noted, others asked, what they say thought over. Nothing is written but notes.

use super::{Core, Rejected};
use crate::correlation::Correlation;
use crate::edge::Answer;
use crate::effect::{Call, Effect, Rows, Then};
use crate::event::Event;
use crate::store::Row;
use serde_json::Value;
use std::collections::VecDeque;

impl Core {
    /// Notes undo, makes calls, and comes back with what is left to be written, in order.
    pub(super) async fn consult(
        &self,
        effects: Vec<Effect>,
        undos: &mut Vec<Event>,
        correlation: &Correlation,
    ) -> Result<Vec<Effect>, Rejected> {
        let mut writes = Vec::new();
        let mut rest = VecDeque::from(effects);
        while let Some(effect) = rest.pop_front() {
            let follows = match effect {
                Effect::Call(call) => {
                    self.ask(&call, correlation).await?;
                    vec![]
                }
                Effect::Ask { call, then } => then.given(&self.ask(&call, correlation).await?),
                Effect::Undo(news) => {
                    let event = self.event(&news, correlation);
                    self.store.note_undo(&event).await?;
                    undos.push(event);
                    vec![]
                }
                Effect::Wait { least, most } => {
                    let share = rand::random::<f64>();
                    tokio::time::sleep(least + most.saturating_sub(least).mul_f64(share)).await;
                    vec![]
                }
                Effect::Refuse(refusal) => return Err(Rejected::Refused(refusal)),
                Effect::Log(line) => {
                    tracing::info!(correlation = correlation.as_str(), "{line}");
                    vec![]
                }
                Effect::Look { rows, then } => {
                    if rest.iter().any(Effect::is_for_others) {
                        self.not_in_vain(&rows, &then).await?;
                    }
                    writes.push(Effect::Look { rows, then });
                    vec![]
                }
                Effect::Publish(_)
                | Effect::Save { .. }
                | Effect::Create { .. }
                | Effect::Change { .. }
                | Effect::Upsert { .. }
                | Effect::Deliver { .. }
                | Effect::Reply(_) => {
                    writes.push(effect);
                    vec![]
                }
            };
            follows
                .into_iter()
                .rev()
                .for_each(|effect| rest.push_front(effect));
        }
        Ok(writes)
    }

    async fn ask(&self, call: &Call, correlation: &Correlation) -> Result<Value, Rejected> {
        match self.edge.call(call, correlation).await {
            Answer::Ok(body) => Ok(value_of(&body)),
            Answer::Refused(why) | Answer::Unknown(why) => Err(Rejected::CallFailed(why)),
        }
    }

    /// What would be refused in the transaction is refused before anybody is called.
    async fn not_in_vain(&self, rows: &Rows, then: &Then<[Row]>) -> Result<(), Rejected> {
        let table = &self.resource(rows.collection).table;
        let mut transaction = self.store.begin().await?;
        let found = transaction.find(table, rows.field, &rows.value).await?;
        let refusal = then
            .given(&found)
            .into_iter()
            .find_map(|effect| match effect {
                Effect::Refuse(refusal) => Some(refusal),
                _ => None,
            });
        refusal.map_or(Ok(()), |refusal| Err(Rejected::Refused(refusal)))
    }
}

impl Effect {
    fn is_for_others(&self) -> bool {
        matches!(
            self,
            Effect::Call(_) | Effect::Ask { .. } | Effect::Undo(_) | Effect::Wait { .. }
        )
    }
}

fn value_of(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_is_json_or_a_text_or_nothing() {
        assert_eq!(value_of(b"true"), json!(true));
        assert_eq!(value_of(b"well done"), json!("well done"));
        assert_eq!(value_of(b""), Value::Null);
    }
}
