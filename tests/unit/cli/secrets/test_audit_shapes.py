"""What looks like a secret, and what only looks so at first sight. No value here was ever one."""

import pytest

from pierhead.cli.secrets.audit.shapes import judge

SECRETS = [
    ("DB_PASSWORD", "hunter2", "SecretName"),
    ("dbPassword", "S3cr3t!x", "SecretName"),
    ("spring.datasource.password", "letmein99", "SecretName"),
    ("smtp_pass", "letmein99", "SecretName"),
    ("PIN_PASS", "123456", "SecretName"),
    ("API_KEY", "abcd1234efgh", "SecretName"),
    ("apikey", "abcd1234", "SecretName"),
    ("CLIENT_SECRET", "Zx8~abcdEF123", "SecretName"),
    ("JWT_SECRET", "f3a9c2e17b604d58a1", "SecretName"),
    ("SECRET_KEY", "django-insecure-#x1!", "SecretName"),
    ("REDIS_AUTH", "u8Kd93kLLs", "SecretName"),
    ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzzzzzKEY1", "SecretName"),
    ("anything", "AKIA" + "Q" * 16, "AwsAccessKey"),
    ("anything", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE", "PrivateKey"),
    ("anything", "-----BEGIN " + "PRIVATE KEY-----", "PrivateKey"),
    ("anything", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnopqrstuv", "JsonWebToken"),
    ("anything", "ghp_" + "a1B2" * 9, "GitHubToken"),
    ("anything", "github_pat_" + "a1B2" * 9, "GitHubToken"),
    ("anything", "glpat-" + "a1B2" * 5, "GitLabToken"),
    ("anything", "xoxb-" + "123456789012-abcdef", "SlackToken"),
    ("anything", "https://hooks.slack.com/services/" + "T0000/B0000/" + "a1B2" * 6, "SlackToken"),
    ("anything", "sk_live_" + "a1B2" * 6, "StripeKey"),
    ("anything", "AIza" + "a1B2c" * 7, "GoogleKey"),
    ("anything", "DefaultEndpointsProtocol=https;AccountKey=" + "a1B2" * 22 + "==", "AzureKey"),
    ("DATABASE_URL", "postgres://shop:pa55@db:5432/shop", "ConnectionString"),
    ("broker", "amqps://user:p%40ss@mq.example.com", "ConnectionString"),
    ("db", "Server=db;User Id=sa;Password=Pa55word;", "ConnectionString"),
    ("SESSION", "8f14e45fceea167a5a36dedd4bea2543", "HighEntropy"),
    ("SEED", "q7Rk2LmZ9xVb4TnW8pYc", "HighEntropy"),
]

HARMLESS = [
    ("DB_PASSWORD", "${DB_PASSWORD}"),
    ("DB_PASSWORD", "$(DB_PASSWORD)"),
    ("password", "{{ .Values.password }}"),
    ("password", ""),
    ("password", "changeme"),
    ("password", "********"),
    ("password", "<your password>"),
    ("password", "ENC[AES256_GCM,data:abc]"),
    ("PASSWORD_FILE", "/run/secrets/pw"),
    ("PASSWORD", "/run/secrets/pw"),
    ("PASSWORD_MIN_LENGTH", "1200"),
    ("passwordSecretKey", "redis-password"),
    ("existingSecret", "shop-db"),
    ("secretName", "shop-db"),
    ("secret", "shop-db"),
    ("secretKey", "password"),
    ("imagePullSecret", "registry-2"),
    ("secretRef", "x-y-z"),
    ("TOKEN_TTL", "3600s"),
    ("TOKEN_URL", "https://auth.example.com/token"),
    ("tokenAudience", "sts.amazonaws.com"),
    ("max_tokens", "4096"),
    ("tokenizer", "bpe-large"),
    ("author", "Jane Doe"),
    ("auth", "basic"),
    ("AUTH_MODE", "oidc"),
    ("compass", "north-west"),
    ("passthrough", "all-of-it"),
    ("credentialsMode", "Passthrough"),
    ("DATABASE_URL", "postgres://db:5432/shop"),
    ("URL", "https://${USER}:${PASS}@host/"),
    ("id", "123e4567-e89b-12d3-a456-426614174000"),
    ("image", "repo@sha256:" + "ab" * 32),
    ("checksum/config", "8f14e45fceea167a5a36dedd4bea2543"),
    ("commit", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("role", "arn:aws:iam::111122223333:role/Shop1"),
    ("class", "com.example.ShopApplicationFactory2"),
    ("PATH", "/usr/local/bin:/usr/bin"),
    ("HOSTS", "a.example.com,b.example.com"),
    ("greeting", "The quick brown fox jumps over 13 lazy dogs"),
    ("publicKey", "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"),
]


@pytest.mark.parametrize(("key", "value", "rule"), SECRETS)
def test_a_secret_is_seen_by_its_name_or_shape(key: str, value: str, rule: str) -> None:
    found = judge(key, value)

    assert found is not None
    assert found.rule == rule
    assert value not in repr(found)


@pytest.mark.parametrize(("key", "value"), HARMLESS)
def test_what_only_names_or_stands_for_a_secret_is_none(key: str, value: str) -> None:
    assert judge(key, value) is None


@pytest.mark.parametrize("piece", ["a", "a:", "://a:", "password=", "eyJ.", "-----BEGIN ", "A1b", "x@"])
def test_a_long_text_is_judged_as_fast_as_it_is_long(piece: str) -> None:
    """What backtracks would not end before the test's own time limit."""
    found = judge(piece, piece * 1_000_000)

    assert found is None or found.rule in {"PrivateKey", "ConnectionString", "SecretName"}
