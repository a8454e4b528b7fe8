//! Any request, from its line to its body, through the server's router without a socket: an answer that isn't the server's fault.
#![no_main]

use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use libfuzzer_sys::fuzz_target;

#[path = "../../frontends/http/tests/it/inputs/request.rs"]
mod request;

/// Signs without a secret, and takes every signature for a good one, so that what is signed is read.
struct Trusting(Algorithm);

impl Verifier<Vec<u8>> for Trusting {
    fn verify(&self, _: &[u8], _: &Vec<u8>) -> Result<(), Error> {
        Ok(())
    }
}

impl Signer<Vec<u8>> for Trusting {
    fn try_sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(vec![b'a'])
    }
}

impl JwtSigner for Trusting {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}

impl JwtVerifier for Trusting {
    fn algorithm(&self) -> Algorithm {
        self.0
    }
}

static TRUSTING: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, _| Ok(Box::new(Trusting(*algorithm))),
    verifier_factory: |algorithm, _| Ok(Box::new(Trusting(*algorithm))),
    key_utils: KeyUtils::new_unimplemented(),
};

fuzz_target!(init: TRUSTING.install_default().unwrap(), |input: &[u8]| request::run(input));
