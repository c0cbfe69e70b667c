"""A local SendGrid over HTTP: Mail Send, what verifies an account, Email Activity, and the Event
Webhook.

https://www.twilio.com/docs/sendgrid/api-reference
"""
