//! The addresses of a network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The addresses that have their first bits in common: `172.18.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    first: IpAddr,
    bits: u8,
}

/// The text is no subnet: it is not of the form `172.18.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not of the form 172.18.0.0/16")]
pub struct InvalidSubnet;

impl Subnet {
    /// That of this one address.
    pub fn of(address: IpAddr) -> Self {
        let first = address.to_canonical();
        let bits = if first.is_ipv4() { 32 } else { 128 };
        Self { first, bits }
    }

    /// Whether the address is in it. An IPv4 address is the same however it is written.
    pub fn contains(&self, address: IpAddr) -> bool {
        beginning(address.to_canonical(), self.bits) == Some(self.first)
    }
}

/// The address with nothing behind its first bits; `None` where it has not so many.
fn beginning(address: IpAddr, bits: u8) -> Option<IpAddr> {
    let bits = u32::from(bits);
    Some(match address {
        IpAddr::V4(address) => {
            let behind = u32::BITS.checked_sub(bits)?;
            let mask = u32::MAX.checked_shl(behind).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let behind = u128::BITS.checked_sub(bits)?;
            let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    })
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let (address, bits) = text.split_once('/').ok_or(InvalidSubnet)?;
        let bits = bits.parse().map_err(|_| InvalidSubnet)?;
        let address = address.parse().map_err(|_| InvalidSubnet)?;
        let first = beginning(address, bits).ok_or(InvalidSubnet)?;
        Ok(Self { first, bits })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(subnet: &str, address: &str) -> bool {
        let subnet: Subnet = subnet.parse().unwrap();
        subnet.contains(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_in_the_subnet_whose_bits_it_begins_with() {
        assert!(has("172.18.0.0/16", "172.18.255.1"));
        assert!(
            has("172.18.0.1/16", "172.18.0.0"),
            "whichever of its addresses is said"
        );
        assert!(has("172.18.0.0/16", "::ffff:172.18.0.9"));
        assert!(!has("172.18.0.0/16", "172.19.0.1"));
        assert!(has("10.1.2.3/32", "10.1.2.3") && !has("10.1.2.3/32", "10.1.2.2"));
        assert!(has("0.0.0.0/0", "203.0.113.9") && !has("0.0.0.0/0", "::1"));
        assert!(has("fd00:a::/64", "fd00:a::9") && !has("fd00:a::/64", "fd00:b::9"));
        assert!(!has("fd00:a::/64", "172.18.0.1"));
        assert!(Subnet::of([127, 0, 0, 1].into()).contains([127, 0, 0, 1].into()));
        assert!(!Subnet::of([127, 0, 0, 1].into()).contains([127, 0, 0, 2].into()));
    }

    #[test]
    fn what_is_no_subnet_is_none() {
        for text in [
            "",
            "172.18.0.0",
            "172.18.0.0/33",
            "fd00::/129",
            "a/8",
            "10.0.0.0/-1",
            "/8",
        ] {
            assert_eq!(text.parse::<Subnet>(), Err(InvalidSubnet), "{text}");
        }
        assert_eq!(
            "172.18.3.0/16".parse::<Subnet>().unwrap().to_string(),
            "172.18.0.0/16"
        );
    }
}
