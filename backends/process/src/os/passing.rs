//! Handing descriptors to another process, through a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// As many as a program has standard streams.
const AT_MOST: usize = 3;

/// A message has to have something in it.
const SOMETHING: u8 = b'*';

/// Sends them, with one byte. `WouldBlock`: nothing was sent.
pub(crate) fn send(socket: impl AsFd, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_MOST))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    if !message.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other(
            "more descriptors than a program has streams",
        ));
    }
    let byte = [IoSlice::new(&[SOMETHING])];
    rustix::net::sendmsg(socket, &byte, &mut message, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes what [`send`] has sent. `WouldBlock`: nothing is there yet.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_MOST))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = rustix::net::recvmsg(
        socket,
        &mut [IoSliceMut::new(&mut byte)],
        &mut message,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let descriptors = message
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if byte != [SOMETHING] || received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the descriptors that were announced did not come",
        ));
    }
    Ok(descriptors)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_is_written_on_one_side_of_a_descriptor_is_read_by_whom_the_other_was_handed() {
        let (here, there) = UnixStream::pair().unwrap();
        let (reads, writes) = rustix::pipe::pipe().unwrap();
        send(&here, &[writes.as_fd()]).unwrap();
        drop(writes);
        let [writes] = <[OwnedFd; 1]>::try_from(receive(&there).unwrap()).unwrap();
        std::fs::File::from(writes).write_all(b"word").unwrap();
        let mut word = String::new();
        std::fs::File::from(reads)
            .read_to_string(&mut word)
            .unwrap();
        assert_eq!(word, "word");
    }

    #[test]
    fn an_ordinary_byte_is_not_taken_for_descriptors() {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(b"x").unwrap();
        assert!(receive(&there).is_err());
        drop(here);
        let end = receive(&there).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }
}
