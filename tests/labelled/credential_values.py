"""Made-up credentials of every kind, spelled as their makers do; nothing here has ever opened anything."""

from __future__ import annotations

import base64
import string
import zlib
from collections.abc import Callable, Mapping
from random import Random  # noqa: TID251 - a seeded set, not a secret
from typing import Final

Maker = Callable[[Random], str]

LETTERS: Final = string.ascii_letters
ALNUM: Final = LETTERS + string.digits
LOWER: Final = string.ascii_lowercase + string.digits
UPPER: Final = string.ascii_uppercase + string.digits
URL: Final = ALNUM + "_-"
B64: Final = ALNUM + "+/"
HEX: Final = "0123456789abcdef"
B32: Final = string.ascii_uppercase + "234567"
_SETS: Final = {
    "a": ALNUM, "l": LOWER, "U": UPPER, "w": URL, "b": B64, "h": HEX, "H": "0123456789ABCDEF", "B": B32,
    "L": LETTERS, "d": string.digits, "k": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}  # fmt: skip


def of(form: str) -> Maker:
    """Return what fills a form: `<h32>` becomes 32 hexadecimal digits, all else stays."""
    parts = [part.rpartition("<") for part in form.split(">")]

    def make(rng: Random) -> str:
        return "".join(before + (chosen(rng, hole) if mark else hole) for before, mark, hole in parts)

    return make


def chosen(rng: Random, hole: str) -> str:
    alphabet = _SETS[hole[0]]
    text = "".join(rng.choices(alphabet, k=int(hole[1:])))
    return text if text[-1] not in "_-" else text[:-1] + rng.choice(LETTERS)


def with_checksum(prefix: str) -> Maker:
    """Thirty random characters and their CRC-32 in base 62."""

    def make(rng: Random) -> str:
        body, rest, checksum = "".join(rng.choices(ALNUM, k=30)), 0, ""
        rest = zlib.crc32(body.encode())
        digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
        for _ in range(6):
            rest, digit = divmod(rest, 62)
            checksum = digits[digit] + checksum
        return prefix + body + checksum

    return make


def _segment(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def token(rng: Random) -> str:
    head = rng.choice(['{"alg":"HS256","typ":"JWT"}', '{"alg":"RS256","kid":"k1"}', '{"typ":"JWT","alg":"ES256"}'])
    body = f'{{"sub":"{rng.randrange(10**6)}","iat":{rng.randrange(1_700_000_000, 1_800_000_000)},"role":"staff"}}'
    return f"{_segment(head)}.{_segment(body)}.{chosen(rng, rng.choice(['w43', 'w86', 'w342']))}"


def _discord(rng: Random) -> str:
    identity = base64.b64encode(str(rng.randrange(10**17, 10**18)).encode()).decode()
    return f"{identity}.{chosen(rng, 'a6')}.{chosen(rng, rng.choice(['w27', 'w38']))}"


def _pem(rng: Random) -> str:
    kind = rng.choice(["RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED "])
    lines = [chosen(rng, "b64") for _ in range(rng.randint(3, 12))]
    return "\n".join(
        [f"-----BEGIN {kind}PRIVATE KEY-----", *lines, chosen(rng, "b30") + "==", f"-----END {kind}PRIVATE KEY-----"]
    )


def _login(rng: Random) -> str:
    return base64.b64encode(f"{rng.choice(['deploy', 'ci', 'anna'])}:{password(rng)}".encode()).decode()


_WORDS: Final = (
    "otter maple Tundra copper Violet sparrow lantern Quartz harbor Pickle walnut Comet velvet Ginger saddle Bramble"
    " Sommer Winter geheim Katze Schloss maison Soleil fromage tigre Verano gatito Sol manzana Luna natale Amore gelato"
).split()


def password(rng: Random) -> str:
    """What people choose, and what their password managers do."""
    word, other = rng.choice(_WORDS), rng.choice(_WORDS)
    return rng.choice([
        f"{word}{rng.randint(10, 9999)}!", f"{word}-{other}-{rng.randint(10, 99)}", f"{word}{other}{rng.randint(1, 99)}",
        f"{word[:2]}{rng.randint(1, 9)}{other[:3]}@{rng.randint(100, 999)}", chosen(rng, f"a{rng.randint(12, 24)}"),
        f"{chosen(rng, 'a6')}-{chosen(rng, 'a6')}-{chosen(rng, 'a6')}", f"{word}#{rng.randint(1950, 2024)}{other[0]}",
    ])  # fmt: skip


_SEED: Final = (
    "orbit lemon crisp stable copper dragon window salad pencil river vivid tunnel apple march cotton ladder eagle spice"
    " globe token habit zebra ocean paddle magnet violin candle forest winter velvet puzzle rocket"
).split()

# Tokens that are known wherever they stand.
TOKENS: Final[Mapping[str, Maker]] = {
    "ADYEN_KEY": of("AQE<l5><b60>-<b43>=-<a16>"), "AGE_SECRET_KEY": of("AGE-SECRET-KEY-1<k58>"),
    "AIRTABLE_TOKEN": of("pat<a14>.<h64>"), "ALIBABA_ACCESS_KEY": of("LTAI5t<a18>"),
    "ANTHROPIC_KEY": of("sk-ant-api03-<w93>AA"), "ARTIFACTORY_KEY": of("AKCp<a69>"),
    "ATLASSIAN_TOKEN": of("ATATT3xFfGF0<w170>=<H8>"), "AWS_ACCESS_KEY": of("AKIA<B16>"),
    "AWS_BEDROCK_KEY": of("ABSK<b128>"), "AZURE_CLIENT_SECRET": of("<a3>8Q~<a34>"),
    "AZURE_DEVOPS_TOKEN": of("<a76>AZDO<a4>"), "BITBUCKET_TOKEN": of("ATBB<a32>"), "BREVO_KEY": of("xkeysib-<h64>-<a16>"),
    "BUILDKITE_TOKEN": of("bkua_<h40>"), "CEREBRAS_KEY": of("csk-<l48>"), "CIRCLECI_TOKEN": of("CCIPAT_<a22>_<h40>"),
    "CRATES_TOKEN": of("cio<a32>"), "DATABRICKS_TOKEN": of("dapi<h32>"), "DEEPSEEK_KEY": of("sk-<h32>"),
    "DIGITALOCEAN_TOKEN": of("dop_v1_<h64>"), "DISCORD_TOKEN": _discord,
    "DISCORD_WEBHOOK": of("https://discord.com/api/webhooks/1<d17>/<w68>"), "DOCKER_TOKEN": of("dckr_pat_<w27>"),
    "DOPPLER_TOKEN": of("dp.st.prd.<a43>"), "DROPBOX_TOKEN": of("sl.<w140>"), "DYNATRACE_TOKEN": of("dt0c01.<U24>.<U64>"),
    "ELEVENLABS_KEY": of("sk_<h48>"), "FACEBOOK_TOKEN": of("EAAG<a150>"), "FIGMA_TOKEN": of("figd_<w40>"),
    "FIREWORKS_KEY": of("fw_<a24>"), "FLUTTERWAVE_KEY": of("FLWSECK-<l32>-X"), "FLY_TOKEN": of("fo1_<w43>"),
    "GITHUB_TOKEN": with_checksum("ghp_"), "GITLAB_TOKEN": of("glpat-<w20>"), "GOOGLE_API_KEY": of("AIza<w35>"),
    "GOOGLE_OAUTH_SECRET": of("GOCSPX-<w28>"), "GOOGLE_OAUTH_TOKEN": of("ya29.<w120>"),
    "GRAFANA_TOKEN": of("glsa_<a32>_<h8>"), "GROQ_KEY": of("gsk_<a52>"), "HEROKU_KEY": of("HRKU-AA<w58>"),
    "HUBSPOT_TOKEN": of("pat-na1-<h8>-<h4>-<h4>-<h4>-<h12>"), "HUGGINGFACE_TOKEN": of("hf_<L34>"), "JWT": token,
    "LANGFUSE_KEY": of("sk-lf-<h8>-<h4>-<h4>-<h4>-<h12>"), "LANGSMITH_KEY": of("lsv2_pt_<h32>_<h10>"),
    "LINEAR_KEY": of("lin_api_<a40>"), "MAILCHIMP_KEY": of("<h32>-us12"), "MAILGUN_KEY": of("key-<h32>"),
    "MAPBOX_TOKEN": of("sk.eyJ1Ijoi<a60>.<w22>"), "MOLLIE_KEY": of("live_<a30>"), "NETLIFY_TOKEN": of("nfp_<a36>"),
    "NEWRELIC_KEY": of("NRAK-<U27>"), "NOTION_TOKEN": of("ntn_<d11><a35>"), "NPM_TOKEN": with_checksum("npm_"),
    "NUGET_KEY": of("oy2<l43>"), "NVIDIA_KEY": of("nvapi-<w64>"), "ONEPASSWORD_TOKEN": of("ops_eyJ<a400>"),
    "OPENAI_KEY": of("sk-proj-<w124>"), "OPENROUTER_KEY": of("sk-or-v1-<h64>"), "PASSWORD_HASH": of("$2b$12$<a53>"),
    "PAYPAL_SECRET": of("access_token$production$<l16>$<h32>"), "PERPLEXITY_KEY": of("pplx-<a48>"),
    "PINECONE_KEY": of("pcsk_<a6>_<a63>"), "PLANETSCALE_TOKEN": of("pscale_pw_<w43>"), "POSTHOG_KEY": of("phx_<a47>"),
    "POSTMAN_KEY": of("PMAK-<h24>-<h34>"), "PRIVATE_KEY": _pem, "PROMPTSHIELD_KEY": of("sk-ps-<a38>"),
    "PULUMI_TOKEN": of("pul-<h40>"), "PYPI_TOKEN": of("pypi-AgEIcHlwaS5vcmc<w140>"), "RAZORPAY_KEY": of("rzp_live_<a14>"),
    "REPLICATE_TOKEN": of("r8_<a37>"), "RESEND_KEY": of("re_<a8>_<a24>"), "RUBYGEMS_TOKEN": of("rubygems_<h48>"),
    "SCALEWAY_KEY": of("SCW<U17>"), "SENDGRID_KEY": of("SG.<w22>.<w43>"), "SENTRY_TOKEN": of("sntryu_<h64>"),
    "SHOPIFY_TOKEN": of("shpat_<h32>"), "SLACK_TOKEN": of("xoxb-2<d11>-9<d12>-<a24>"),
    "SLACK_WEBHOOK": of("https://hooks.slack.com/services/T<U9>/B<U9>/<a24>"), "SOURCEGRAPH_TOKEN": of("sgp_<h16>_<h40>"),
    "SQUARE_TOKEN": of("sq0atp-<a22>"), "STRIPE_KEY": of("sk_live_<a24>"), "SUPABASE_KEY": of("sbp_<h40>"),
    "TAILSCALE_KEY": of("tskey-auth-k<a11>CNTRL-<a32>"), "TAVILY_KEY": of("tvly-dev-<a32>"),
    "TEAMS_WEBHOOK": of("https://acme.webhook.office.com/webhookb2/<h8>-<h4>-<h4>-<h4>-<h12>@<h8>-<h4>-<h4>-<h4>-<h12>/IncomingWebhook/<h32>/<h8>-<h4>-<h4>-<h4>-<h12>"),
    "TELEGRAM_BOT_TOKEN": of("5<d9>:AA<w33>"), "TENCENT_SECRET_ID": of("AKID<a32>"),
    "TERRAFORM_TOKEN": of("<a14>.atlasv1.<w67>"), "TOGETHER_KEY": of("tgp_v1_<w43>"), "TWILIO_KEY": of("SK<h32>"),
    "VAULT_TOKEN": of("hvs.CAES<w90>"), "XAI_KEY": of("xai-<a80>"), "CLOUDFLARE_TOKEN": of("v1.0-<h24>-<h146>"),
}  # fmt: skip
# Values that only their surroundings tell.
NAMED: Final[Mapping[str, Maker]] = {
    "PASSWORD": password, "URL_PASSWORD": lambda rng: password(rng).replace("@", "%40").replace("#", "%23"),
    "AWS_SECRET_KEY": of("<b40>"), "AWS_SESSION_TOKEN": of("IQoJb3JpZ2luX2Vj<b240>=="), "BEARER_TOKEN": of("<a40>"),
    "BASIC_LOGIN": _login, "REGISTRY_LOGIN": _login, "AZURE_STORAGE_KEY": of("<b86>=="),
    "AZURE_SHARED_ACCESS_KEY": of("<b43>="), "AZURE_SAS_SIGNATURE": of("<a41>%2B<a1>%3D"),
    "GCP_SERVICE_ACCOUNT": of("<h40>"), "CLOUDFLARE_API": of("<w40>"), "MODEL_PROVIDER_KEY": of("<a40>"),
    "DATADOG_KEY": of("<h32>"), "KUBERNETES_KEY": of("LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo<b200>=="),
    "DSN_PASSWORD": lambda rng: password(rng).replace("@", "-"), "PGPASS_PASSWORD": password, "URL_TOKEN": of("<a40>"),
    "NETRC_PASSWORD": password, "COMMAND_PASSWORD": password, "OTP_SECRET": of("<B32>"), "WALLET_KEY": of("0x<h64>"),
    "SEED_PHRASE": lambda rng: " ".join(rng.choices(_SEED, k=rng.choice([12, 24]))), "SESSION_COOKIE": of("<l32>"),
    "PUTTY_KEY": lambda rng: f"Private-Lines: 2\n{chosen(rng, 'b64')}\n{chosen(rng, 'b42')}==",
    "GENERATED_SECRET": of("<a32>"), "HEX_SECRET": of("<h40>"),
}  # fmt: skip
# How a value is labelled whose name above only says how it is made.
SAME_KIND: Final = {
    "BASIC_LOGIN": "BEARER_TOKEN", "CLOUDFLARE_API": "CLOUDFLARE_TOKEN", "GENERATED_SECRET": "PASSWORD",
    "HEX_SECRET": "PASSWORD",
}  # fmt: skip
VALUES: Final[Mapping[str, Maker]] = {**TOKENS, **NAMED}
