//! Errands as closures beside a closure.

use std::future::pending;
use std::io;

use alveary_core::{ExecContext, ExitStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{hex, number, unhex};
use crate::behaviour::READY;
use crate::errand::Errand;

/// What a program of the system ends with when it can neither read nor write.
const FAILED: i32 = 1;

/// An errand as arguments, which [`run`] reads.
pub(super) fn arguments(errand: &Errand) -> Option<Vec<String>> {
    Some(match errand {
        Errand::Exit(code) => vec!["exit".to_owned(), code.to_string()],
        Errand::Print { stdout, stderr } => vec!["print".to_owned(), hex(stdout), hex(stderr)],
        Errand::Copy => vec!["copy".to_owned()],
        Errand::PrintEnvironment => vec!["environment".to_owned()],
        Errand::Flood(bytes) => vec!["flood".to_owned(), bytes.to_string()],
        Errand::Stay => vec!["stay".to_owned()],
        Errand::PrintTtySize => vec!["tty-size".to_owned()],
        // There are no folders here.
        Errand::PrintCwd => return None,
    })
}

pub(super) async fn run(exec: ExecContext) -> ExitStatus {
    ExitStatus::Code(carry_out(exec).await.unwrap_or(FAILED))
}

async fn carry_out(mut exec: ExecContext) -> io::Result<i32> {
    let words = exec.args().to_vec();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["exit", code] => return Ok(number(code)),
        ["print", stdout, stderr] => {
            exec.stdout.write_all(&unhex(stdout)).await?;
            exec.stderr.write_all(&unhex(stderr)).await?;
        }
        ["copy"] => {
            tokio::io::copy(&mut exec.stdin, &mut exec.stdout).await?;
        }
        ["environment"] => {
            for (key, value) in exec.env().clone() {
                let variable = format!("{key}={value}\0");
                exec.stdout.write_all(variable.as_bytes()).await?;
            }
        }
        ["flood", bytes] => {
            let mut flood = tokio::io::repeat(b'x').take(number(bytes));
            tokio::io::copy(&mut flood, &mut exec.stdout).await?;
        }
        // Whatever a wrapper may have added.
        ["stay", ..] => {
            exec.stdout.write_all(READY.as_bytes()).await?;
            pending::<()>().await;
        }
        ["tty-size"] => {
            print_size(&mut exec).await?;
            let mut line = [0; 1];
            while exec.stdin.read(&mut line).await? > 0 {
                if line == *b"\n" {
                    print_size(&mut exec).await?;
                }
            }
        }
        _ => return Ok(127),
    }
    Ok(0)
}

async fn print_size(exec: &mut ExecContext) -> io::Result<()> {
    let size = exec.tty_size();
    let size = size.ok_or_else(|| io::Error::other("it runs on no terminal"))?;
    let line = format!("{} {}\r\n", size.rows, size.columns);
    exec.stdout.write_all(line.as_bytes()).await
}
