"""What campaigns need of the outside world: providers that take messages, one inbox that every
recipient's messages come to, and recipients who read, click, reply and complain.
"""

#: The API in usage, faults and pushes.
SENDGRID_API = "sendgrid"
#: The key that is there from the start; it may do everything, and is public on purpose.
SENDGRID_API_KEY = "SG.sandbox-key-of-headrace.public-on-purpose-0000000000000000000000000"
