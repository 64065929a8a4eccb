"""The only file that talks to CKAN: actions called through ckanapi, what it holds read, every failure made an error.

The token goes into a header and nowhere else: no error, address or log has it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

import requests
from ckanapi import RemoteCKAN
from ckanapi.errors import CKANAPIError, NotAuthorized, NotFound, ServerIncompatibleError, ValidationError

from catalog.ckan.package import MARK, Catalogue, Wire
from policies.errors import RemoteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.settings import CkanSettings

USER_AGENT = "datalab"
_PAGE = 1000  # CKAN gives no more at once
_CONNECT = 10
_SERVER_ERROR = 500


class RefusedError(RemoteError):
    """CKAN does not take what this one call says; others may still pass."""


class Ckan:
    """A CKAN that answers, and a token that may write there; use it in a `with` block."""

    def __init__(self, settings: CkanSettings, environment: Mapping[str, str] = os.environ) -> None:
        """Raises UsageError if there is no address or token, RemoteError if CKAN is not there or refuses the token."""
        self.url = _address(settings)
        self._token_name = settings.token_env
        self._timeout = (min(_CONNECT, settings.timeout), settings.timeout)
        token = _token(settings, environment, self.url)
        self._session = requests.Session()
        self._session.auth = _as_it_is  # else requests puts what ~/.netrc says in the token's place
        self._session.hooks["response"].append(_must_be_ckans)
        self._remote = RemoteCKAN(self.url, apikey=token, user_agent=USER_AGENT, session=self._session)
        try:
            self._check_token()
        except BaseException:
            self._session.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._session.close()

    def call(self, action: str, data: Wire) -> Any:
        """What CKAN answers. Raises RefusedError if it does not take the data, RemoteError for any other failure."""
        where = f"{self.url}/api/action/{action}"
        try:
            return self._remote.call_action(action, data, requests_kwargs={"timeout": self._timeout})
        except ValidationError as error:
            raise RefusedError(f"{where}: CKAN refused: {_reasons(error.error_dict)}") from None
        except NotFound:
            raise RefusedError(f"{where}: CKAN has nothing called {data.get('id')!r}") from None
        except NotAuthorized:
            raise RemoteError(f"{where}: CKAN does not allow it; {self._remedy}") from None
        except (CKANAPIError, ServerIncompatibleError):
            raise RemoteError(f"{where}: CKAN refused the call without a reason; see its log") from None
        except requests.RequestException as error:
            raise RemoteError(f"{self.url}: {_cause(error, self._timeout[1])}") from None

    def show(self, kind: str, name: str) -> Wire | None:
        """The organization, group or package of this name or id, deleted or not; None if there is none."""
        try:
            found: Wire = self.call(f"{kind}_show", {"id": name})
        except RefusedError:
            return None
        return found

    def read(self, ours: Catalogue) -> Catalogue:
        """What stands there under any name or id of ours, deleted or not, and all datasets with our mark."""
        organisations = {name: self.show("organization", name) for name in ours.organisations}
        groups = {name: self.show("group", name) for name in ours.groups}
        held = {found["id"]: found for name in ours.organisations for found in self._marked(name)}
        for key, made in ours.datasets.items():
            # The index has no deleted ones, and a name may be another's
            found = held.get(key) or self.show("package", key) or self.show("package", made["name"])
            if found is not None:
                held[found["id"]] = found
        return Catalogue(
            organisations={name: found for name, found in organisations.items() if found is not None},
            groups={name: found for name, found in groups.items() if found is not None},
            datasets=held,
        )

    def _marked(self, organisation: str) -> list[Wire]:
        """The datasets with our mark; the index also gives those with a mark of the same words."""
        asked = {"fq": f'extras_{MARK}:"{organisation}"', "include_private": True, "rows": _PAGE, "sort": "id asc"}
        found: list[Wire] = []
        while True:
            page = self.call("package_search", {**asked, "start": len(found)})
            found += page["results"]
            if not page["results"] or len(found) >= page["count"]:
                mark = {"key": MARK, "value": organisation}
                return [one for one in found if mark in one["extras"]]

    def _check_token(self) -> None:
        """CKAN takes a wrong token for nobody's, and lets nobody read: so it must be asked who we are."""
        try:
            who = self.call("user_show", {})
        except RefusedError:
            raise RemoteError(f"{self.url}: CKAN does not know the token; {self._remedy}") from None
        if not isinstance(who, dict) or "name" not in who:
            raise RemoteError(f"{self.url}: does not answer as CKAN does; set url in [ckan] to the address of a CKAN")
        if not who.get("sysadmin"):
            raise RemoteError(f"{self.url}: the token is that of {who['name']}, who is no sysadmin; {self._remedy}")

    @property
    def _remedy(self) -> str:
        return (
            f"put a sysadmin's API token into the environment variable {self._token_name} "
            f"(in CKAN: {self.url}/user, then API Tokens)"
        )


def _must_be_ckans(response: requests.Response, *_: object, **__: object) -> None:
    """Raise RemoteError unless this is an answer of CKAN's API: ckanapi would show its text, or break on it."""
    wrong = _wrong(response)
    if wrong is not None:
        response.close()  # a body that nobody reads would keep the connection open
        raise RemoteError(f"{response.url}: {wrong}")


def _wrong(response: requests.Response) -> str | None:
    status = f"{response.status_code} {response.reason}"
    if response.is_redirect:
        there = urlsplit(urljoin(response.url, response.headers["Location"]))
        address = f"{there.scheme}://{there.netloc}{there.path}"
        return f"sent on to {address} ({status}); set url in [ckan] to the address that CKAN itself answers at"
    if response.status_code >= _SERVER_ERROR:
        return f"CKAN failed ({status}); see its log, then run this again"
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if isinstance(answer, dict) and ("result" in answer or isinstance(answer.get("error"), dict)):
        return None
    kind = response.headers.get("Content-Type", "no content type")
    return f"no answer of a CKAN's API ({status}, {kind}); set url in [ckan] to the start page of a CKAN"


def _address(settings: CkanSettings) -> str:
    if settings.url is None:
        raise UsageError(
            "no CKAN to publish to: set url in the section [ckan] of datalab.toml, or DATALAB_CKAN_URL, or --url"
        )
    if settings.url.username is not None or settings.url.password is not None:
        raise UsageError(f"[ckan] url ({settings.url.host}): a user or password does not belong there; take it out")
    return str(settings.url).rstrip("/")


def _token(settings: CkanSettings, environment: Mapping[str, str], url: str) -> str:
    token = environment.get(settings.token_env, "").strip()
    if not token:
        raise UsageError(f"the environment variable {settings.token_env} is not set; put an API token of {url} into it")
    if not (token.isascii() and token.isprintable()):
        raise UsageError(
            f"the environment variable {settings.token_env} holds something else than an API token of {url}"
        )
    return token


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reasons(errors: Wire) -> str:
    """CKAN's reasons in a line; a stale `metadata_modified` means that somebody else has written since we read."""
    if "metadata_modified" in errors.get("match", []):
        return "somebody has changed the dataset in the meantime; run this again"
    return "; ".join(f"{name}: {reason}" for name, reason in errors.items() if name != "__type")


def _cause(error: requests.RequestException, timeout: float) -> str:
    """What kept CKAN from answering; requests' own text may repeat what was sent, so it is not shown."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted; set REQUESTS_CA_BUNDLE to the file of your authority's certificates"
    if isinstance(error, requests.Timeout):
        return f"CKAN did not answer within {timeout:g} s; raise timeout in [ckan], or look at the server"
    if isinstance(error, requests.ConnectionError):
        return "CKAN cannot be reached; check url in [ckan], and that CKAN runs"
    return f"CKAN cannot be asked ({type(error).__name__}); check url in [ckan]"
