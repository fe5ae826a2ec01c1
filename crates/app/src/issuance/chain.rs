//! What stands above a certificate, encoded once for each issuer.

use certwright_pki::to_pem;

/// The issuing CA first, with the root where it is known.
pub struct CaChain {
    der: Vec<Vec<u8>>,
    /// How many of them stand before the root.
    without_root: usize,
    pem: String,
    /// Bytes of `pem` that stand before the root.
    pem_without_root: usize,
}

impl CaChain {
    /// `without_root`: how many of the certificates stand before the root.
    pub(crate) fn new(der: Vec<Vec<u8>>, without_root: usize) -> Self {
        let mut pem = String::new();
        let mut pem_without_root = 0;
        for (one, number) in der.iter().zip(1_usize..) {
            pem.push_str(&to_pem("CERTIFICATE", one));
            if number <= without_root {
                pem_without_root = pem.len();
            }
        }
        Self { der, without_root, pem, pem_without_root }
    }

    /// DER, all of them.
    pub fn der(&self) -> &[Vec<u8>] {
        &self.der
    }

    /// DER, without the root: what a server sends after its own certificate.
    pub fn der_without_root(&self) -> &[Vec<u8>] {
        self.der.get(..self.without_root).unwrap_or(&self.der)
    }

    /// PEM, all of them.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// PEM, without the root.
    pub fn pem_without_root(&self) -> &str {
        self.pem.get(..self.pem_without_root).unwrap_or(&self.pem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_told_apart() {
        let all = CaChain::new(vec![b"issuing".to_vec(), b"root".to_vec()], 1);
        assert_eq!((all.der().len(), all.der_without_root()), (2, &[b"issuing".to_vec()][..]));
        assert_eq!(all.pem_without_root(), to_pem("CERTIFICATE", b"issuing"));
        assert_eq!(all.pem(), format!("{}{}", to_pem("CERTIFICATE", b"issuing"), to_pem("CERTIFICATE", b"root")));
        let root_alone = CaChain::new(vec![b"root".to_vec()], 0);
        assert_eq!((root_alone.pem_without_root(), root_alone.der_without_root().len()), ("", 0));
    }
}
