//! IPv4 subnets and the addresses that ports get from them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// `a.b.c.d/n`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Subnet {
    network: u32,
    prefix: u32,
}

impl Subnet {
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not an IPv4 network like 10.0.0.0/16 with a prefix of 8 to 29 bits");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix: u32 = prefix.parse().map_err(|_| wrong())?;
        if !(8..=29).contains(&prefix) {
            return Err(wrong());
        }
        Ok(Self { network: u32::from(address) & (u32::MAX << (32 - prefix)), prefix })
    }

    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network + 1)
    }

    pub fn first(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network + 2)
    }

    pub fn last(self) -> Ipv4Addr {
        Ipv4Addr::from(self.network | ((u32::MAX >> self.prefix) - 1))
    }

    pub fn contains(self, address: Ipv4Addr) -> bool {
        (u32::from(self.first())..=u32::from(self.last())).contains(&u32::from(address))
    }

    /// The lowest address that is not in `taken`.
    pub fn free(self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        (u32::from(self.first())..=u32::from(self.last())).map(Ipv4Addr::from).find(|a| !taken.contains(a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_handed_out_from_the_third_to_the_last_but_one() {
        let subnet = Subnet::parse("10.20.0.0/29").unwrap();
        let mut taken = BTreeSet::new();
        while let Some(address) = subnet.free(&taken) {
            taken.insert(address);
        }
        let expected: BTreeSet<Ipv4Addr> = (2..=6).map(|i| Ipv4Addr::new(10, 20, 0, i)).collect();
        assert_eq!(taken, expected);
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/31", "x/8"] {
            assert!(Subnet::parse(text).is_err(), "{text}");
        }
    }
}
