"""What campaigns need of the outside world: providers that take messages, one inbox that every
recipient's messages come to, and recipients who read, click, reply and complain.
"""

#: The API in usage, faults and pushes.
SENDGRID_API = "sendgrid"
#: The key that is there from the start; it may do everything, and is public on purpose.
SENDGRID_API_KEY = "SG.sandbox-key-of-headrace.public-on-purpose-0000000000000000000000000"
#: The event webhook of a new sandbox is signed with the key that belongs to this one, base64 of
#: its DER as SendGrid shows it.  Whose private half is public as well proves nothing elsewhere.
SENDGRID_WEBHOOK_PUBLIC_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6u9vmhv3L/lvwcSNNUuzwpBr1WczcCG+t4cQ7l/4fhFV0Ql4o69w"
    "JEnSOuKWSuclh/JRGl9OW6C5GavgUg9avQ=="
)

#: Ways to forge a request to a webhook: signed with another key, changed after signing, not
#: signed at all, signed properly but long ago.
FORGERIES = ("wrong_key", "changed", "unsigned", "stale")

#: Twilio's account that is there from the start, its secret, and its number.
TWILIO_API = "twilio"
TWILIO_ACCOUNT_SID = "AC5a6d0b0c5a6d0b0c5a6d0b0c5a6d0b0c"
TWILIO_AUTH_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - public on purpose
TWILIO_NUMBER = "+15005550006"

#: Who may hand in mail at the sandbox's mail server.
SMTP_API = "smtp"
SMTP_USER, SMTP_PASSWORD = "sandbox", "public-on-purpose"
