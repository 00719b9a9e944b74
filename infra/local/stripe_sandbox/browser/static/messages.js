// The frame's words in the languages of Till's pages, and the countries it offers.
export const COUNTRIES = [
  "AR", "AT", "AU", "BE", "BG", "BR", "CA", "CH", "CL", "CN", "CO", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB",
  "GR", "HK", "HR", "HU", "IE", "IL", "IN", "IS", "IT", "JP", "KR", "LI", "LT", "LU", "LV", "MT", "MX", "MY", "NL", "NO",
  "NZ", "PH", "PL", "PT", "RO", "SE", "SG", "SI", "SK", "TH", "TR", "TW", "UA", "US", "VN", "ZA",
];

const ALL = {
  en: {
    number: "Card number", expiry: "Expiration date", cvc: "Security code", country: "Country", zip: "ZIP code",
    postal: "Postal code",
    incomplete_number: "Your card number is incomplete.", invalid_number: "Your card number is invalid.",
    incomplete_expiry: "Your card’s expiration date is incomplete.",
    invalid_expiry_month: "Your card’s expiration month is invalid.",
    invalid_expiry_month_past: "Your card’s expiration date is in the past.",
    invalid_expiry_year: "Your card’s expiration year is invalid.",
    invalid_expiry_year_past: "Your card’s expiration year is in the past.",
    incomplete_cvc: "Your card’s security code is incomplete.",
    incomplete_zip: "Your ZIP is invalid.", incomplete_postal: "Your postal code is incomplete.",
    terms: "By providing your card information, you allow {business} to charge your card for future payments in accordance with their terms.",
  },
  de: {
    number: "Kartennummer", expiry: "Ablaufdatum", cvc: "Sicherheitscode", country: "Land", zip: "Postleitzahl",
    postal: "Postleitzahl",
    incomplete_number: "Die Kartennummer ist unvollständig.", invalid_number: "Die Kartennummer ist ungültig.",
    incomplete_expiry: "Das Ablaufdatum ist unvollständig.", invalid_expiry_month: "Der Ablaufmonat ist ungültig.",
    invalid_expiry_month_past: "Das Ablaufdatum liegt in der Vergangenheit.",
    invalid_expiry_year: "Das Ablaufjahr ist ungültig.",
    invalid_expiry_year_past: "Das Ablaufjahr liegt in der Vergangenheit.",
    incomplete_cvc: "Der Sicherheitscode ist unvollständig.", incomplete_zip: "Die Postleitzahl ist unvollständig.",
    incomplete_postal: "Die Postleitzahl ist unvollständig.",
    terms: "Mit der Angabe Ihrer Kartendaten erlauben Sie {business}, Ihre Karte für künftige Zahlungen gemäß den Bedingungen zu belasten.",
  },
  es: {
    number: "Número de tarjeta", expiry: "Fecha de caducidad", cvc: "Código de seguridad", country: "País",
    zip: "Código postal", postal: "Código postal",
    incomplete_number: "El número de tarjeta está incompleto.", invalid_number: "El número de tarjeta no es válido.",
    incomplete_expiry: "La fecha de caducidad está incompleta.",
    invalid_expiry_month: "El mes de caducidad no es válido.",
    invalid_expiry_month_past: "La fecha de caducidad ya ha pasado.",
    invalid_expiry_year: "El año de caducidad no es válido.", invalid_expiry_year_past: "El año de caducidad ya ha pasado.",
    incomplete_cvc: "El código de seguridad está incompleto.", incomplete_zip: "El código postal está incompleto.",
    incomplete_postal: "El código postal está incompleto.",
    terms: "Al indicar los datos de tu tarjeta, permites que {business} cargue en ella pagos futuros según sus condiciones.",
  },
  fr: {
    number: "Numéro de carte", expiry: "Date d’expiration", cvc: "Code de sécurité", country: "Pays",
    zip: "Code postal", postal: "Code postal",
    incomplete_number: "Le numéro de carte est incomplet.", invalid_number: "Le numéro de carte n’est pas valide.",
    incomplete_expiry: "La date d’expiration est incomplète.",
    invalid_expiry_month: "Le mois d’expiration n’est pas valide.",
    invalid_expiry_month_past: "La date d’expiration est passée.",
    invalid_expiry_year: "L’année d’expiration n’est pas valide.", invalid_expiry_year_past: "L’année d’expiration est passée.",
    incomplete_cvc: "Le code de sécurité est incomplet.", incomplete_zip: "Le code postal est incomplet.",
    incomplete_postal: "Le code postal est incomplet.",
    terms: "En indiquant votre carte, vous autorisez {business} à la débiter pour de futurs paiements selon ses conditions.",
  },
  pl: {
    number: "Numer karty", expiry: "Data ważności", cvc: "Kod bezpieczeństwa", country: "Kraj", zip: "Kod pocztowy",
    postal: "Kod pocztowy",
    incomplete_number: "Numer karty jest niepełny.", invalid_number: "Numer karty jest nieprawidłowy.",
    incomplete_expiry: "Data ważności jest niepełna.", invalid_expiry_month: "Miesiąc ważności jest nieprawidłowy.",
    invalid_expiry_month_past: "Data ważności już minęła.", invalid_expiry_year: "Rok ważności jest nieprawidłowy.",
    invalid_expiry_year_past: "Rok ważności już minął.", incomplete_cvc: "Kod bezpieczeństwa jest niepełny.",
    incomplete_zip: "Kod pocztowy jest niepełny.", incomplete_postal: "Kod pocztowy jest niepełny.",
    terms: "Podając dane karty, pozwalasz {business} obciążać ją przyszłymi płatnościami zgodnie z warunkami.",
  },
};

export function words(language) {
  const lang = (language || "en").slice(0, 2).toLowerCase();
  return lang in ALL ? { ...ALL[lang], lang } : { ...ALL.en, lang: "en" };
}
