"""Vaults, keys, CAs and certificates by curl, for tests that are about something else."""

import json

from harness.curl import Curl, Response

FAMILIES = {
    "RSA_2048": ("RSA", 2048),
    "RSA_3072": ("RSA", 3072),
    "RSA_4096": ("RSA", 4096),
    "ECDSA_P256": ("ECDSA", 256),
    "ECDSA_P384": ("ECDSA", 384),
    "ECDSA_P521": ("ECDSA", 521),
    "ED25519": ("ED25519", None),
}


class House:
    """Makes resources and insists on success."""

    def __init__(self, curl: Curl):
        self.curl = curl
        self._vaults: set[str] = set()

    def made(self, response: Response) -> dict:
        """The JSON of a 201."""
        if response.status != 201:
            raise AssertionError(f"expected 201:\n{response}")
        return response.json

    def vault(self, name: str = "default") -> str:
        """A vault of this name, made when first asked for."""
        if name not in self._vaults:
            self.made(self.curl.post("/v1/vaults", {"name": name}))
            self._vaults.add(name)
        return name

    def key(self, name: str, algorithm: str = "ECDSA_P256", vault: str = "default") -> dict:
        """A master key."""
        family, length = FAMILIES[algorithm]
        body = {"name": name, "algorithm": family, "protection": "SOFTWARE"}
        if length:
            body["length"] = length
        return self.made(self.curl.post(f"/v1/vaults/{self.vault(vault)}/keys", body))

    def root(self, name: str, algorithm: str = "ECDSA_P256", *, years: int = 10, **more) -> dict:
        """A root CA with a key of its own."""
        self.key(f"{name}-key", algorithm)
        body = {
            "name": name,
            "type": "ROOT",
            "vault": "default",
            "key": f"{name}-key",
            "subject": {"commonName": name, "organization": "DDIM"},
            "validity": {"duration": f"P{365 * years}D"},
            **more,
        }
        return self.made(self.curl.post("/v1/certificate-authorities", body))

    def subordinate(self, name: str, issuer: str, algorithm: str = "ECDSA_P256", *, days: int = 1825, **more) -> dict:
        """A subordinate CA with a key of its own."""
        self.key(f"{name}-key", algorithm)
        body = {
            "name": name,
            "type": "SUBORDINATE",
            "issuer": issuer,
            "vault": "default",
            "key": f"{name}-key",
            "subject": {"commonName": name, "organization": "DDIM"},
            "validity": {"duration": f"P{days}D"},
            **more,
        }
        return self.made(self.curl.post("/v1/certificate-authorities", body))

    def issue(self, ca: str, common_name: str, names: list[str], *, algorithm: str = "ECDSA_P256", **more) -> dict:
        """A certificate whose key the server makes."""
        body = {"subject": {"commonName": common_name}, "names": names, "keyAlgorithm": algorithm, **more}
        return self.made(self.curl.post(f"/v1/certificate-authorities/{ca}/issue", body))

    def sign(self, ca: str, csr: str, **more) -> dict:
        """A certificate for a CSR in PEM."""
        return self.made(self.curl.post(f"/v1/certificate-authorities/{ca}/sign", {"csr": csr, **more}))

    def certificate_of(self, ca: str) -> str:
        """The CA's own certificate as PEM."""
        response = self.curl.get(f"/v1/certificate-authorities/{ca}")
        if response.status != 200:
            raise AssertionError(f"expected 200:\n{response}")
        return response.json["version"]["certificate"]

    def inventory(self, query: str = "") -> list[dict]:
        """Every issued certificate, page by page."""
        items, path = [], f"/v1/issued-certificates?limit=500{query}"
        while path:
            response = self.curl.get(path)
            if response.status != 200:
                raise AssertionError(f"expected 200:\n{response}")
            page = json.loads(response.body)
            items += page["items"]
            cursor = page.get("nextCursor")
            path = f"/v1/issued-certificates?limit=500{query}&cursor={cursor}" if cursor else ""
        return items
