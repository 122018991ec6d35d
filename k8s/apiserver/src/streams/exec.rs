//! exec — a command in a container over a WebSocket: numbered channels for its streams, one for how it ended.

use super::{ExecError, ExecIo, container_of};
use crate::{
    api::{Api, Call},
    refusal::Refusal,
};
use axum::{
    extract::{
        FromRequestParts, Request,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    },
    response::{IntoResponse, Response},
};
use futures::{SinkExt, StreamExt, future::BoxFuture, stream};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Sub-protocols spoken, best first. `v5` can close the input.
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Bytes of each stream under way.
const PIPE_BYTES: usize = 64 * 1024;

/// How long the client may take to answer the farewell.
const FAREWELL: Duration = Duration::from_secs(1);

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const CLOSE: u8 = 255;

type Running = BoxFuture<'static, Result<i32, ExecError>>;

/// A command under way and the near ends of its streams.
struct Session {
    running: Running,
    stdin: Option<DuplexStream>,
    stdout: DuplexStream,
    stderr: DuplexStream,
}

impl Session {
    /// Nothing can run: said like the end of a command, for by then a real server has upgraded the connection, too.
    fn refused(why: String) -> Session {
        let ended = || tokio::io::duplex(1).0;
        Session {
            running: Box::pin(std::future::ready(Err(ExecError::NotRunning(why)))),
            stdin: None,
            stdout: ended(),
            stderr: ended(),
        }
    }
}

/// Answers `…/exec`.
pub async fn exec(api: &Api, call: &Call, request: Request) -> Result<Response, Refusal> {
    let pod = api.store.get(&call.key()).ok_or_else(|| call.not_found())?;
    let container = container_of(&pod, call)?;
    let command: Vec<String> = call.options("command").map(String::from).collect();
    if command.is_empty() {
        return Err(Refusal::bad_request(
            "you must specify at least 1 command for the container",
        ));
    }
    let states = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten();
    let stopped = states
        .filter(|state| state["state"]["running"].is_null())
        .filter_map(|state| state["name"].as_str())
        .find(|name| container.as_deref() == Some(*name));
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(rejection.into_response()),
    };
    let session = match stopped {
        Some(name) => Session::refused(format!("container not found (\"{name}\")")),
        None => start(api, call, container.as_deref(), command)?,
    };
    Ok(upgrade
        .protocols(PROTOCOLS)
        .on_upgrade(|socket| serve(socket, session)))
}

fn start(
    api: &Api,
    call: &Call,
    container: Option<&str>,
    command: Vec<String>,
) -> Result<Session, Refusal> {
    let (stdout, far_stdout) = tokio::io::duplex(PIPE_BYTES);
    let (stderr, far_stderr) = tokio::io::duplex(PIPE_BYTES);
    let (stdin, far_stdin) = call
        .flag("stdin")
        .then(|| tokio::io::duplex(PIPE_BYTES))
        .unzip();
    let io = ExecIo {
        stdin: far_stdin.map(|end| Box::new(end) as _),
        stdout: Box::new(far_stdout),
        stderr: Box::new(far_stderr),
    };
    Ok(Session {
        running: api
            .streams()?
            .exec(&call.namespace, &call.name, container, command, io),
        stdin,
        stdout,
        stderr,
    })
}

async fn serve(socket: WebSocket, session: Session) {
    let (sender, receiver) = socket.split();
    let input = input(receiver, session.stdin);
    tokio::pin!(input);
    let ended = tokio::select! {
        result = output(sender, session.running, session.stdout, session.stderr) => result.is_ok(),
        // The client is gone; leaving ends the command.
        () = &mut input => false,
    };
    if ended {
        // Leaving before the client has read the farewell could cost it the exit code.
        let _ = tokio::time::timeout(FAREWELL, input).await;
    }
}

/// Passes on what the client sends, until it goes.
async fn input(mut receiver: stream::SplitStream<WebSocket>, mut stdin: Option<DuplexStream>) {
    while let Some(Ok(message)) = receiver.next().await {
        let Message::Binary(bytes) = message else {
            continue;
        };
        match bytes.split_first() {
            Some((&STDIN, text)) => {
                if let Some(pipe) = &mut stdin
                    && pipe.write_all(text).await.is_err()
                {
                    // The command reads no more; that is its right.
                    stdin = None;
                }
            }
            Some((&CLOSE, channel)) if channel == [STDIN] => stdin = None,
            _ => {}
        }
    }
}

/// Sends what the command writes, then how it ended, then farewell.
async fn output(
    mut sender: stream::SplitSink<WebSocket, Message>,
    mut running: Running,
    mut stdout: DuplexStream,
    mut stderr: DuplexStream,
) -> Result<(), axum::Error> {
    let (mut out, mut err) = (vec![], vec![]);
    let (mut out_open, mut err_open) = (true, true);
    let mut result = None;
    while out_open || err_open || result.is_none() {
        let frame = tokio::select! {
            ended = &mut running, if result.is_none() => {
                result = Some(ended);
                continue;
            }
            open = read(&mut stdout, &mut out), if out_open => {
                out_open = open;
                framed(STDOUT, &mut out)
            }
            open = read(&mut stderr, &mut err), if err_open => {
                err_open = open;
                framed(STDERR, &mut err)
            }
        };
        if let Some(frame) = frame {
            sender.send(frame).await?;
        }
    }
    let status = status(result.unwrap_or(Ok(0)));
    let mut text = status.to_string().into_bytes();
    if let Some(frame) = framed(STATUS, &mut text) {
        sender.send(frame).await?;
    }
    // Without the code kubectl reports a broken connection in place of the exit code.
    let farewell = CloseFrame {
        code: 1000,
        reason: "".into(),
    };
    sender.send(Message::Close(Some(farewell))).await
}

/// Reads what is there; false at the end.
async fn read(from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> bool {
    buffer.reserve(8 * 1024);
    from.read_buf(buffer).await.is_ok_and(|count| count > 0)
}

fn framed(channel: u8, bytes: &mut Vec<u8>) -> Option<Message> {
    if bytes.is_empty() {
        return None;
    }
    let mut frame = Vec::with_capacity(bytes.len() + 1);
    frame.push(channel);
    frame.append(bytes);
    Some(Message::Binary(frame.into()))
}

/// How a command ended, as clients read it.
fn status(result: Result<i32, ExecError>) -> Value {
    match result {
        Ok(0) => json!({"metadata": {}, "status": "Success"}),
        Ok(code) => json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
        Err(ExecError::NotRunning(why)) => {
            internal_error(&format!("unable to upgrade connection: {why}"))
        }
        Err(ExecError::CannotStart(why)) => {
            internal_error(&format!("error executing command in container: {why}"))
        }
    }
}

fn internal_error(why: &str) -> Value {
    json!({
        "metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
        "message": format!("Internal error occurred: {why}"), "details": {"causes": [{"message": why}]},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_is_a_cause() {
        let status = status(Ok(3));
        assert_eq!(
            status["details"]["causes"][0],
            json!({"reason": "ExitCode", "message": "3"})
        );
        assert_eq!(status["reason"], "NonZeroExitCode");
    }

    #[test]
    fn a_command_that_cannot_start_has_no_exit_code() {
        let status = status(Err(ExecError::CannotStart("no such program: nope".into())));
        assert_eq!(
            status["message"],
            "Internal error occurred: error executing command in container: no such program: nope"
        );
    }
}
