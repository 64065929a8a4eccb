"""The only file that talks to CKAN: actions called through ckanapi, every failure made an error.

    RemoteError
    ├── RefusedError     CKAN does not take what this one call says; others may still pass
    │   ├── GoneError    it has nothing of that name
    │   └── StaleError   somebody has changed the thing since it was read
    └── PassingError     CKAN was not there, or failed: the call may have been carried out or not

The token goes into a header and nowhere else: no error, address or log has it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

import requests
from ckanapi import RemoteCKAN
from ckanapi.errors import CKANAPIError, NotAuthorized, NotFound, ServerIncompatibleError, ValidationError

from policies.errors import RemoteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.ckan.facts import Wire
    from catalog.settings import CkanSettings

USER_AGENT = "datalab"
_CONNECT = 10
_SERVER_ERROR, _TOO_MANY = 500, 429


class RefusedError(RemoteError):
    """CKAN does not take what this one call says; others may still pass."""


class GoneError(RefusedError):
    """CKAN has nothing of that name or id."""


class StaleError(RefusedError):
    """Somebody else has changed the dataset since it was read."""


class PassingError(RemoteError):
    """CKAN was not there or failed, which may pass: whether the call was carried out is not known."""


class Ckan:
    """A CKAN that answers, and a token that may write there; use it in a `with` block."""

    def __init__(self, settings: CkanSettings, environment: Mapping[str, str] = os.environ) -> None:
        """Raises UsageError if there is no address or token; whether CKAN takes them, `check` tells."""
        self.url = _address(settings)
        self._token_name = settings.token_env
        self._timeout = settings.timeout
        token = _token(settings, environment, self.url)
        self._session = requests.Session()
        self._session.auth = _as_it_is  # else requests puts what ~/.netrc says in the token's place
        self._session.hooks["response"].append(_must_be_ckans)
        self._remote = RemoteCKAN(self.url, apikey=token, user_agent=USER_AGENT, session=self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def call(self, action: str, data: Wire, *, longer: float = 0) -> Any:
        """What CKAN answers, within `timeout` of [ckan] and so many seconds longer.

        Raises RefusedError if it does not take the data, PassingError if it failed or was not there, RemoteError else.
        """
        where = f"{self.url}/api/action/{action}"
        patience = self._timeout + longer
        try:
            timeouts = (min(_CONNECT, patience), patience)
            return self._remote.call_action(action, data, requests_kwargs={"timeout": timeouts})
        except ValidationError as error:
            if "metadata_modified" in error.error_dict.get("match", []):
                raise StaleError(f"{where}: somebody changes the dataset all the time; run this again") from None
            raise RefusedError(f"{where}: CKAN refused: {_reasons(error.error_dict)}") from None
        except NotFound:
            name = data.get("id") or data.get("resource_id")
            raise GoneError(f"{where}: CKAN has nothing called {name!r}") from None
        except NotAuthorized:
            raise RemoteError(f"{where}: CKAN does not allow it; {self._remedy}") from None
        except (CKANAPIError, ServerIncompatibleError):
            raise RemoteError(f"{where}: CKAN refused the call without a reason; see its log") from None
        except (requests.Timeout, requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            passing = not isinstance(error, requests.exceptions.SSLError)
            kind = PassingError if passing else RemoteError
            raise kind(f"{self.url}: {_cause(error, patience)}") from None
        except requests.RequestException as error:
            raise RemoteError(f"{self.url}: {_cause(error, patience)}") from None

    def show(self, kind: str, name: str) -> Wire | None:
        """The organization, group or package of this name or id, deleted or not; None if there is none."""
        try:
            found: Wire = self.call(f"{kind}_show", {"id": name})
        except GoneError:
            return None
        return found

    def check(self) -> None:
        """Raise RemoteError unless a CKAN is there and the token is a sysadmin's.

        CKAN takes a wrong token for nobody's, and lets nobody read: so it must be asked who we are.
        """
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
        passing = response.status_code >= _SERVER_ERROR or response.status_code == _TOO_MANY
        kind = PassingError if passing else RemoteError
        raise kind(f"{response.url}: {wrong}")


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
    """CKAN's reasons in a line."""
    return "; ".join(f"{name}: {reason}" for name, reason in errors.items() if name != "__type")


def _cause(error: requests.RequestException, timeout: float) -> str:
    """What kept CKAN from answering; requests' own text may repeat what was sent, so it is not shown."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted; set REQUESTS_CA_BUNDLE to the file of your authority's certificates"
    if isinstance(error, requests.Timeout):
        return f"CKAN did not answer within {timeout:g} s; raise timeout in [ckan], or look at the server"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "CKAN cannot be reached; check url in [ckan], and that CKAN runs"
    return f"CKAN cannot be asked ({type(error).__name__}); check url in [ckan]"
