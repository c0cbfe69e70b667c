"""Names of folders, senders and subjects from which people's mail is put together."""

#: Trees of folders that people make: paths, parents before children.
FOLDER_TREES: tuple[tuple[str, ...], ...] = (
    ("Projects", "Projects/Atlas", "Projects/Borealis", "Projects/Borealis/Offers"),
    ("Travel", "Travel/Tickets", "Travel/Hotels"),
    ("Family", "Family/School"),
    ("HR", "HR/Applications"),
    ("Legal", "Legal/Contracts", "Legal/Contracts/Signed"),
    ("Kunden", "Kunden/Müller & Söhne", "Kunden/Ostwind"),
    ("Équipe", "Équipe/Comptes rendus"),
    ("Newsletters read later",),
    ("To do this week",),
    ("家族",),
    ("Проекты", "Проекты/Отчёты"),
    ("Old mailbox", "Old mailbox/Inbox 2024", "Old mailbox/Sent 2024"),
)
#: Folders into which mail of one kind is filed.
FILING_FOLDERS = (
    "Invoices",
    "Receipts",
    "Invoices/Hosting",
    "Receipts/Online shops",
    "Statements",
    "Rechnungen",
    "Insurance",
)
#: Where mail of one sender goes now here, now there.
UNDECIDED_FOLDERS = ("Reports", "Reading list")

NEWSLETTERS = (
    *("Daily Brief", "Deal Radar", "The Commute", "Growth Notes", "Presse-Spiegel", "Sale Alarm"),
    *("Le Récap", "Tech Tidbits", "Wein & Genuss", "Fitness Weekly", "Stellenmarkt", "Boletín Sur"),
)
SUPPLIERS = (
    *("Nordlicht Hosting", "Paperclip Ltd", "Stadtwerke Ost", "Fleetline Leasing", "Cloudyard"),
    *("Telefonica Centro", "Kurierdienst Blitz", "Fournitures Martin", "Taxbox", "Petrol Card"),
)
SERVICES = (
    *("Build Server", "Backup Service", "Ticket Desk", "Door Access", "Disk Monitor"),
    *("Timesheets", "Room Booking", "License Manager"),
)
SHOPS = ("Buchladen am Markt", "Shoe Harbour", "Plant Post", "Maison du Thé", "Gadget Pier")

NEWSLETTER_SUBJECTS = (
    "Issue {number}: what changed this week",
    "Only today: {number} % off",
    "{number} things to read before lunch",
    "Ausgabe {number}: Das Wichtigste in Kürze",
    "Le récap n° {number}",
    "Don’t miss out 🎁 ({number} left)",
)
SUPPLIER_SUBJECTS = (
    "Invoice 2026-{number}",
    "Rechnung Nr. {number}",
    "Your receipt {number}",
    "Facture n° {number}",
    "Payment received for order {number}",
    "Kontoauszug {number}",
)
SERVICE_SUBJECTS = (
    "[ok] Nightly run #{number} finished",
    "[warn] Volume {number} is 81 % full",
    "Ticket {number} was updated",
    "Reminder: timesheet of week {number}",
    "Access report {number}",
)
SHOP_SUBJECTS = (
    "Your order {number} has shipped",
    "How do you like order {number}?",
    "Paket {number} kommt heute",
    "New in: {number} arrivals",
)
PERSONAL_SUBJECTS = (
    *("Question about the budget", "Minutes of today’s meeting", "Lunch tomorrow?"),
    *("Entwurf zur Durchsicht", "Compte rendu de la réunion", "Propuesta de proyecto"),
    *("Draft contract", "議事録の共有", "Обсуждение бюджета", "Photos from Saturday"),
    *("Slides for Thursday", "Can you approve this?", "Re-planning of sprint {number}"),
)
CATEGORIES = ("Red category", "Blue category", "Green category", "Waiting for answer")
#: Time zones of mailboxes, by the names of both Windows and IANA, as Outlook gives them.
ZONES = (
    *("W. Europe Standard Time", "Eastern Standard Time", "Pacific Standard Time"),
    *("Tokyo Standard Time", "India Standard Time", "UTC", "Europe/Berlin", "America/Sao_Paulo"),
)
