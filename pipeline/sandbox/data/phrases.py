"""Titles, subjects and sentences in several languages, built once per seed with Faker."""

from dataclasses import dataclass
from functools import lru_cache

from faker import Faker

MEETING_TITLES = (
    "Weekly sync", "1:1", "Budget review", "Design critique", "Kick-off", "Sprint planning",
    "Retrospective 🎉", "Interview: backend engineer", "Customer call", "Lunch & learn",
    "Wöchentliche Abstimmung", "Vorstellungsgespräch", "Quartalszahlen", "Réunion d’équipe",
    "Point hebdomadaire", "Déjeuner", "Reunión semanal", "Revisión del presupuesto",
    "Reunião de equipe", "Spotkanie zespołu", "Porada týmu", "Haftalık toplantı",
    "Συνάντηση ομάδας", "Планёрка", "Обсуждение бюджета", "اجتماع الفريق", "פגישת צוות",
    "टीम बैठक", "定例会議", "採用面接", "周例会", "预算评审", "주간 회의", "Họp nhóm",
    "Board meeting (confidential)", 'Review of "Project Ω"', "Team ☕", "Re: Fwd: Planning?",
)  # fmt: skip
SOLO_TITLES = (
    "Dentist", "Gym", "Zahnarzt", "Pick up the kids", "Piano lesson", "Физкультура", "歯医者",
    "Arztbesuch", "Cours de yoga", "Call the bank", "Read the draft", "Haircut 💇", "牙医",
)  # fmt: skip
ALL_DAY_TITLES = (
    "Release day", "Company holiday", "Umzug", "Conference", "Séminaire", "Feria", "出張",
    "Vacation 🏖", "Urlaub", "Kita geschlossen", "Отпуск", "School closed", "Deadline: report",
)  # fmt: skip
HOLIDAY_TITLES = (
    "New Year’s Day", "Karfreitag", "Ostermontag", "Tag der Arbeit", "Fête nationale", "元日",
    "Independence Day", "Día de la Hispanidad", "Święto Niepodległości", "Weihnachten",
)  # fmt: skip
SUBJECTS = (
    "Minutes of today’s meeting", "Invoice 2026-0417", "Your order has shipped", "Lunch tomorrow?",
    "Draft contract", "Question about the budget", "Rechnung für Oktober", "Angebot zur Prüfung",
    "Compte rendu de la réunion", "Facture n° 3021", "Propuesta de proyecto", "Orçamento",
    "Zaproszenie na konferencję", "Nabídka", "Toplantı notları", "Πρόταση συνεργασίας",
    "Договор на подпись", "عرض سعر", "הצעת מחיר", "बैठक का सारांश", "議事録の共有", "合同草案",
    "회의록 공유", "Biên bản cuộc họp", "[ops] disk almost full on db-3", "Weekly newsletter #112",
    "Security alert for your account", "✈ Your flight is confirmed", "Photos from Saturday",
)  # fmt: skip
TASK_TITLES = (
    "Buy milk", "Send the invoice", "Call the landlord", "Steuererklärung abgeben", "Book flights",
    "Review pull request", "Renouveler le passeport", "Pagar la luz", "Zapłacić czynsz",
    "Plan trip", "Оплатить счёт", "買い物", "预约体检", "운동하기", "Write the report",
    "Water the plants 🌱", "Prepare slides", "Order cake", "Fix the bike",
    "Return the library books", "תשלום ארנונה",
)  # fmt: skip
LIST_TITLES = (
    "My Tasks", "Groceries", "Arbeit", "Projet maison", "Someday / maybe", "買い物リスト", "Дом",
    "Reading list", "Vacaciones", "Team ✅",
)  # fmt: skip
CALENDAR_TITLES = (
    "Family", "Arbeit", "Équipe produit", "Side project", "旅行", "Gym", "Schule", "Проекты",
    "On-call rota", "Fußball", "Book club", "مواعيد",
)  # fmt: skip
TIME_ZONES = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles", "Asia/Tokyo",
    "Asia/Kolkata", "Australia/Sydney", "America/Sao_Paulo", "Europe/Istanbul", "Asia/Kathmandu",
    "Africa/Casablanca", "Pacific/Auckland", "UTC",
)  # fmt: skip
PLACES = (
    "Room 4.12", "Café Einstein", "Konferenzraum „Elbe“", "https://meet.example/abc", "Online",
    "12 Rue de Rivoli, Paris", "東京都千代田区1-1", "Bürgeramt, Zimmer 3", "Main St 5, Springfield",
)  # fmt: skip
_SENTENCE_LOCALES = (
    "en_US",
    "de_DE",
    "fr_FR",
    "es_ES",
    "pl_PL",
    "ru_RU",
    "el_GR",
    "ja_JP",
    "zh_CN",
)
_SENTENCES_PER_LOCALE = 40


@dataclass(frozen=True, slots=True)
class Phrases:
    """Running text of one seed."""

    sentences: tuple[str, ...]
    paragraphs: tuple[str, ...]


@lru_cache(maxsize=8)
def phrases(seed: int) -> Phrases:
    """The running text of a seed, built once."""
    sentences: list[str] = []
    paragraphs: list[str] = []
    for locale in _SENTENCE_LOCALES:
        faker = Faker(locale)
        faker.seed_instance(f"{seed}/phrases/{locale}")
        sentences += [faker.sentence(9) for _ in range(_SENTENCES_PER_LOCALE)]
        paragraphs += [faker.paragraph(6) for _ in range(_SENTENCES_PER_LOCALE)]
    return Phrases(tuple(sentences), tuple(paragraphs))
