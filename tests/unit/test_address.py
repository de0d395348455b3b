import pytest

from botyard.telegram.address import base_url, file_url, method_url

TOKEN = "123456:AA"


@pytest.mark.parametrize(
    ("api_url", "url"),
    [
        ("https://api.telegram.org", "https://api.telegram.org/bot123456:AA/sendMessage"),
        ("https://api.telegram.org/", "https://api.telegram.org/bot123456:AA/sendMessage"),
        ("https://api.telegram.org/bot", "https://api.telegram.org/bot123456:AA/sendMessage"),
        ("https://api.telegram.org/bot/", "https://api.telegram.org/bot123456:AA/sendMessage"),
        ("https://api.telegram.org/bot{token}", "https://api.telegram.org/bot123456:AA/sendMessage"),
        ("https://api.telegram.org/bot{token}/test", "https://api.telegram.org/bot123456:AA/test/sendMessage"),
        ("https://api.telegram.org/test", "https://api.telegram.org/bot123456:AA/test/sendMessage"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081/bot123456:AA/sendMessage"),
        ("http://proxy/tg/bot", "http://proxy/tg/bot123456:AA/sendMessage"),
    ],
)
def test_each_form_of_an_address_leads_to_the_method(api_url: str, url: str) -> None:
    assert method_url(api_url, TOKEN, "sendMessage") == url


@pytest.mark.parametrize("api_url", ["https://a", "https://a/bot", "https://a/test", "https://a/x/{token}/y"])
def test_an_address_in_the_libraries_form_stays_as_it_is(api_url: str) -> None:
    assert base_url(base_url(api_url)) == base_url(api_url)
    assert base_url(api_url).count("{token}") == 1


@pytest.mark.parametrize(
    ("api_url", "files"),
    [
        ("https://api.telegram.org", "https://api.telegram.org/file/bot{token}"),
        ("https://api.telegram.org/test", "https://api.telegram.org/file/bot{token}/test"),
    ],
)
def test_files_are_fetched_from_beside_the_methods(api_url: str, files: str) -> None:
    assert file_url(base_url(api_url)) == files
