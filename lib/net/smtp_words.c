/*
 * smtp_words.c - see smtp_words.h.
 *
 * One pass over the characters: what begins here? The recipient, a token that
 * is not the server's word (an address, a link, a host name), or plain text,
 * which is added character by character.
 */
#include "lib/net/smtp_words.h"

#include <string.h>

/* --- reading ------------------------------------------------------------------------ */

#define HOSTS_MAX 32 /* whose labels are looked at */

struct reader {
    uint16_t text[SMTP_TEXT_KEPT];
    size_t n;
    const struct smtp_address *recipient, *sender;
    struct smtp_words *out;
    bool in_word, punctuated;
    size_t before, before_n; /* the token before */
    struct {
        size_t at, n;
    } hosts[HOSTS_MAX];
    size_t hosts_n;
};

static uint16_t at(const struct reader *reader, size_t i)
{
    return i < reader->n ? reader->text[i] : ' ';
}

static bool is_blank(uint16_t c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool is_letter(uint16_t c)
{
    uint16_t second = 0;
    uint16_t folded = smtp_fold(c, &second);
    return folded != ' ' && folded != 0;
}

static bool is_digit(uint16_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_any(uint16_t c, const char *signs)
{
    return c != 0 && c < 0x80 && strchr(signs, c) != NULL;
}

static bool ends_token(uint16_t c)
{
    uint16_t second = 0;
    switch (c) {
    case ' ':
    case '\t':
    case '\n':
    case '<':
    case '>':
    case '(':
    case ')':
    case '[':
    case ']':
    case '{':
    case '}':
    case '"':
    case '\'':
    case ',':
    case ';':
        return true;
    default:
        return c >= 0x80 && (smtp_is_ideograph(c) || smtp_fold(c, &second) == ' ');
    }
}

/* --- putting out words -------------------------------------------------------------- */

static void end_word(struct reader *reader)
{
    struct smtp_words *out = reader->out;
    if (reader->in_word)
        out->text[out->text_n++] = ' ';
    reader->in_word = false;
}

static bool begin_word(struct reader *reader, uint8_t marks)
{
    struct smtp_words *out = reader->out;
    if (reader->in_word)
        return true;
    if (out->n == SMTP_WORDS_MAX || out->text_n + 5 > SMTP_WORDS_BYTES)
        return false;
    out->start[out->n] = (uint16_t)out->text_n;
    out->marks[out->n++] = (uint8_t)(marks | (reader->punctuated ? SMTP_PUNCTUATED : 0));
    reader->in_word = true;
    reader->punctuated = false;
    return true;
}

static void add_letter(struct reader *reader, uint16_t c, uint8_t marks)
{
    struct smtp_words *out = reader->out;
    if (out->text_n + 5 > SMTP_WORDS_BYTES || !begin_word(reader, marks))
        return;
    if (c < 0x80 || c == SMTP_STRANGE) {
        out->text[out->text_n++] = c < 0x80 ? (char)c : '\x7f';
    } else if (c < 0x800) {
        out->text[out->text_n++] = (char)(0xc0 | c >> 6);
        out->text[out->text_n++] = (char)(0x80 | (c & 0x3f));
    } else {
        out->text[out->text_n++] = (char)(0xe0 | c >> 12);
        out->text[out->text_n++] = (char)(0x80 | (c >> 6 & 0x3f));
        out->text[out->text_n++] = (char)(0x80 | (c & 0x3f));
    }
}

static void add_sign(struct reader *reader, char sign)
{
    struct smtp_words *out = reader->out;
    end_word(reader);
    bool again = out->n > 0 && out->text[out->start[out->n - 1]] == sign;
    if (!again && begin_word(reader, 0)) {
        out->text[out->text_n++] = sign;
        end_word(reader);
    }
}

static bool ends_sentence(const struct reader *reader, size_t i)
{
    uint16_t c = at(reader, i), next = at(reader, i + 1);
    if (c == 0x3002 || c == 0xff01 || c == 0xff1f)
        return true;
    bool sign = c == '.' || c == '!' || c == '?' || c == ';';
    return sign && is_blank(next) && (i == 0 || at(reader, i - 1) != '.');
}

/* An apostrophe or hyphen. */
static bool is_inside_word(const struct reader *reader, size_t i)
{
    uint16_t c = at(reader, i);
    return (c == '\'' || c == 0x2019 || c == '-') && i > 0 && is_letter(at(reader, i - 1)) &&
           is_letter(at(reader, i + 1));
}

static void add_character(struct reader *reader, size_t i)
{
    uint16_t second = 0, c = at(reader, i), folded = smtp_fold(c, &second);
    if (ends_sentence(reader, i)) {
        add_sign(reader, '.');
    } else if (folded == ' ') {
        end_word(reader);
        reader->punctuated = reader->punctuated || !(is_blank(c) || is_inside_word(reader, i));
    } else if (smtp_is_ideograph(folded)) {
        end_word(reader);
        add_letter(reader, folded, 0);
        end_word(reader);
    } else if (folded != 0) {
        add_letter(reader, folded, 0);
        if (second != 0)
            add_letter(reader, second, 0);
    }
}

/* --- the recipient -------------------------------------------------------------------- */

static bool stands_at(const struct reader *reader, size_t i, const uint16_t *word, size_t n)
{
    if (n == 0 || i + n > reader->n)
        return false;
    for (size_t k = 0; k < n; k++) {
        if (smtp_address_key(reader->text[i + k]) != word[k])
            return false;
    }
    return true;
}

static bool is_quote(uint16_t c)
{
    return c == '"' || c == '\'' || c == '`' || c == 0x2018 || c == 0x2019 || c == 0x201c ||
           c == 0x201d;
}

/* May an address end before i, or a local part? */
static bool ends_before(const struct reader *reader, size_t i)
{
    uint16_t c = at(reader, i), next = at(reader, i + 1);
    if (c == '@' || c == '-' || c == '_' || c == '+')
        return false;
    if (c == '.')
        return !is_letter(next);
    return !is_letter(c) || smtp_is_ideograph(c);
}

static bool starts_at(const struct reader *reader, size_t i)
{
    uint16_t before = i == 0 ? ' ' : at(reader, i - 1);
    return !(is_letter(before) && !smtp_is_ideograph(before)) && before != '.' && before != '-' &&
           before != '_' && before != '+' && before != '@' && before != '/';
}

/* Common words of replies: "550 unknown user" does not name unknown@. */
static const char *const common[] = {
    "user",    "users",  "mailbox", "account", "recipient", "address", "alias",   "unknown",
    "invalid", "no",     "not",     "such",    "found",     "here",    "mail",    "email",
    "exist",   "exists", "nobody",  "valid",   "the",       "a",       "is",      "this",
    "to",      "for",    "of",      "utente",  "konto",     "compte",  "usuario", "cuenta",
    "buzon",   "in",     "on",      "by",      "benutzer"};

static bool is_one_of(const uint16_t *word, size_t n, const char *const list[], size_t list_n)
{
    for (size_t i = 0; i < list_n; i++) {
        size_t k = 0;
        while (k < n && list[i][k] && (unsigned char)list[i][k] == word[k])
            k++;
        if (k == n && !list[i][k])
            return true;
    }
    return false;
}

/* Words behind which, and before which, a plain one is a name: "no such user
 * spam", "spam is not known". */
static const char *const titles[] = {
    "user",      "recipient",    "mailbox",     "account",      "address",    "alias",
    "name",      "inbox",        "benutzer",    "empfanger",    "empfaenger", "postfach",
    "konto",     "adresse",      "utilisateur", "destinataire", "compte",     "boite",
    "usuario",   "destinatario", "cuenta",      "buzon",        "utente",     "casella",
    "indirizzo", "conta",        "caixa",       "gebruiker",    "ontvanger",  "postbus",
    "adres",     "uzytkownik",   "uzytkownika", "odbiorca",     "skrzynka",   "konta",
    "username",  "userid",       "login",       "direccion",    "endereco"};
static const char *const verbs[] = {"is",      "isn",  "was",  "does",   "doesn", "not",
                                    "unknown", "no",   "has",  "existe", "nao",   "non",
                                    "n",       "nie",  "ist",  "cannot", "could", "couldn",
                                    "invalid", "user", "niet", "est",    "es",    "esta"};

static size_t word_at(const struct reader *reader, size_t from, bool back, uint16_t word[16])
{
    size_t n = 0, i = from;
    while (n < 16 && (back ? i > 0 : i < reader->n)) {
        uint16_t second = 0, c = smtp_fold(at(reader, back ? i - 1 : i), &second);
        if (c == ' ' || c == 0)
            break;
        word[n++] = c;
        i += back ? (size_t)-1 : 1;
    }
    for (size_t k = 0; back && k < n / 2; k++) {
        uint16_t c = word[k];
        word[k] = word[n - 1 - k];
        word[n - 1 - k] = c;
    }
    return n;
}

/* A plain word of a sentence, or somebody's name? */
static bool is_named(const struct reader *reader, size_t i, size_t end)
{
    uint16_t word[16];
    size_t first = i, last = end;
    uint16_t before = i == 0 ? ' ' : at(reader, i - 1), after = at(reader, end);
    if ((is_quote(before) && is_quote(after)) || is_any(before, "<([{=:"))
        return true;
    if (is_one_of(reader->recipient->text, reader->recipient->local_n, common, ARRAY_LEN(common)))
        return false;
    while (first > 0 && is_blank(at(reader, first - 1)))
        first--;
    while (last < reader->n && is_blank(at(reader, last)))
        last++;
    if (first > 0 && at(reader, first - 1) == ':')
        return true;
    if (first > 0) {
        size_t n = word_at(reader, first, true, word);
        return is_one_of(word, n, titles, ARRAY_LEN(titles));
    }
    if (after == ':' || (after == '.' && at(reader, end + 1) == '.'))
        return true;
    size_t n = word_at(reader, last, false, word);
    return is_one_of(word, n, verbs, ARRAY_LEN(verbs));
}

/* Where the recipient that begins at i ends; 0: none does. In *word_out: it
 * may be a common word all the same. */
static size_t recipient_end(const struct reader *reader, size_t i, bool *word_out)
{
    const struct smtp_address *it = reader->recipient;
    size_t domain_n = it->n - it->local_n, end = i + it->local_n;
    *word_out = false;
    if (it->n == 0 || smtp_address_key(at(reader, i)) != it->text[0])
        return 0;
    if (!stands_at(reader, i, it->text, it->local_n) || !starts_at(reader, i))
        return 0;
    size_t closed = end + (is_quote(at(reader, end)) && i > 0 && is_quote(at(reader, i - 1)));
    if (stands_at(reader, closed, it->text + it->local_n, domain_n) &&
        ends_before(reader, closed + domain_n))
        return closed + domain_n;
    if (!ends_before(reader, end) || (it->plain && !is_named(reader, i, end)))
        return 0;
    *word_out = it->plain;
    return end;
}

/* --- tokens ----------------------------------------------------------------------------- */

struct token {
    size_t at, n;
    size_t at_sign; /* its offset; n: none */
    unsigned dots;  /* between letters or digits */
    bool link;
};

/* An address ends at a colon too: what follows is about it, "joe@example.com:blocked". */
static struct token token_at(const struct reader *reader, size_t i)
{
    struct token token = {.at = i};
    bool address = false;
    size_t k = i;
    for (; k < reader->n && !ends_token(reader->text[k]); k++) {
        uint16_t c = reader->text[k];
        if (c >= 'a' && c <= 'z')
            continue;
        if (address && c == ':')
            break;
        if (c == '@' && !address) {
            address = true;
            token.at_sign = k - i;
        }
        token.link = token.link || (c == ':' && at(reader, k + 1) == '/');
        token.dots += c == '.' && k > i && is_letter(reader->text[k - 1]) &&
                      !ends_token(at(reader, k + 1)) && is_letter(at(reader, k + 1));
    }
    token.n = k - i;
    if (!address)
        token.at_sign = token.n;
    return token;
}

static bool is_ipv4(const struct reader *reader, const struct token *token)
{
    unsigned groups = 0, digits = 0;
    for (size_t i = 0; i < token->n; i++) {
        uint16_t c = reader->text[token->at + i];
        if (is_digit(c)) {
            groups += digits++ == 0;
        } else if (c == '.' && digits > 0) {
            digits = 0;
        } else if ((c == ':' || c == '.') && groups == 4) {
            break; /* a port, the end of a sentence */
        } else {
            return false;
        }
        if (digits > 3)
            return false;
    }
    return groups == 4;
}

static bool is_ipv6(const struct reader *reader, const struct token *token)
{
    static const uint16_t prefix[] = {'i', 'p', 'v', '6', ':'};
    size_t i = token->at, end = i + token->n;
    unsigned colons = 0;
    bool twice = false;
    if (stands_at(reader, i, prefix, ARRAY_LEN(prefix)))
        i += ARRAY_LEN(prefix);
    for (; i < end; i++) {
        if (!is_any(reader->text[i], "0123456789abcdefABCDEF:."))
            return false;
        colons += reader->text[i] == ':';
        twice = twice || (reader->text[i] == ':' && at(reader, i + 1) == ':');
    }
    return colons >= (twice ? 2 : 4);
}

/* "5.1.1", "#5.1.1", perhaps with a sign behind it: its length in status[], else 0. */
static size_t status_of(const struct reader *reader, const struct token *token, char status[12])
{
    size_t n = 0, first = token->n > 0 && reader->text[token->at] == '#';
    size_t last = token->n;
    while (last > first && is_any(reader->text[token->at + last - 1], ".:-"))
        last--;
    for (size_t i = first; i < last && n < 12; i++) {
        uint16_t c = reader->text[token->at + i];
        if (!is_digit(c) && c != '.')
            return 0;
        status[n++] = (char)c;
    }
    if (n < 5 || n > 11)
        return 0;
    status[n] = '\0';
    return smtp_status_length((struct slice){status, n}) == n ? n : 0;
}

static const char *const before_status[] = {"status", "code", "error", "smtp",
                                            "esmtp",  "dsn",  "said"};

/* And no version of a program? */
static bool is_status_place(const struct reader *reader, const struct token *token)
{
    uint16_t before = token->at == 0 ? '\n' : at(reader, token->at - 1), word[16];
    size_t end = token->at + token->n, n = reader->before_n, i = reader->before;
    if (reader->text[token->at] == '#' || before == '\n' || before == '(' || before == '[')
        return true;
    while (end < reader->n && !is_letter(reader->text[end]))
        end++;
    if (end == reader->n)
        return true;
    bool code = n >= 3 && is_digit(at(reader, i)) && is_digit(at(reader, i + 1)) &&
                is_digit(at(reader, i + 2)) && !is_letter(at(reader, i + 3));
    n = word_at(reader, i, false, word);
    return code || is_one_of(word, n, before_status, ARRAY_LEN(before_status));
}

static bool takes_status(struct reader *reader, const struct token *token)
{
    char status[12];
    struct smtp_words *out = reader->out;
    if (token->dots != 2 || status_of(reader, token, status) == 0)
        return false;
    if (is_status_place(reader, token) && out->statuses_n < SMTP_STATUSES_MAX)
        snprintf(out->statuses[out->statuses_n++], sizeof out->statuses[0], "%s", status);
    return true;
}

static bool is_address(const struct reader *reader, const struct token *token,
                       const struct smtp_address *address, size_t n)
{
    return n > 0 && token->n >= n && stands_at(reader, token->at, address->text, n) &&
           (token->n == n || !is_letter(at(reader, token->at + n)));
}

/* The recipient in a spelling of the server's, with another domain or without
 * its tag, is the recipient. */
static void take_address(struct reader *reader, const struct token *token)
{
    size_t local_n = token->at_sign, tag = 0;
    const struct smtp_address *recipient = reader->recipient;
    while (tag < recipient->local_n && recipient->text[tag] != '+')
        tag++;
    if (local_n > 0 && (local_n == tag || local_n == recipient->local_n) &&
        stands_at(reader, token->at, recipient->text, local_n))
        add_sign(reader, '@');
    else if (is_address(reader, token, reader->sender, reader->sender->n))
        reader->out->names_sender = true;
}

static void keep_host(struct reader *reader, const struct token *token)
{
    if (reader->hosts_n < HOSTS_MAX) {
        reader->hosts[reader->hosts_n].at = token->at;
        reader->hosts[reader->hosts_n++].n = token->n;
    }
}

/* Is it somebody else's word? */
static bool takes_token(struct reader *reader, const struct token *token)
{
    const struct smtp_address *recipient = reader->recipient;
    size_t domain = recipient->local_n + 1; /* behind the '@' */
    if (token->dots == 0 && token->n < 4) {
        return false;
    } else if (is_ipv4(reader, token) || is_ipv6(reader, token)) {
        reader->out->doubtful = true;
    } else if (takes_status(reader, token)) {
        return true;
    } else if (token->at_sign < token->n) {
        take_address(reader, token);
    } else if (token->link || token->dots >= 2) {
        keep_host(reader, token);
    } else if (recipient->n <= domain || token->dots == 0 || token->n < recipient->n - domain ||
               token->n > recipient->n - domain + 1 ||
               !stands_at(reader, token->at, recipient->text + domain, recipient->n - domain)) {
        return false;
    }
    return true;
}

/* <address>: its length with both brackets; 0 when there is none. */
static size_t path_length(const struct reader *reader, size_t i)
{
    if (at(reader, i) != '<')
        return 0;
    for (size_t k = i + 1; k < reader->n && !is_blank(reader->text[k]); k++) {
        if (reader->text[k] == '>')
            return k + 1 - i;
        if (reader->text[k] == '<')
            break;
    }
    return 0;
}

static void take_path(struct reader *reader, size_t i, size_t n)
{
    bool word = false;
    size_t end = recipient_end(reader, i + 1, &word);
    struct token token = token_at(reader, i + 1);
    if (n == 2)
        reader->out->names_sender = true; /* the null reverse-path */
    else if (end == i + n - 1)
        add_sign(reader, '@');
    else if (token.at_sign < token.n)
        take_address(reader, &token);
}

/* The labels of a host name or link, for the names of lists. */
static void add_labels(struct reader *reader, size_t i, size_t n)
{
    size_t end = i + n, from = i;
    for (size_t k = i; k + 1 < end; k++) {
        if (reader->text[k] == ':' && reader->text[k + 1] == '/')
            from = k + 1;
    }
    while (from < end && reader->text[from] == '/')
        from++;
    add_sign(reader, '.');
    for (size_t k = from; k < end && reader->text[k] != '/' && reader->text[k] != '?'; k++) {
        uint16_t second = 0, c = smtp_fold(reader->text[k], &second);
        if (c == ' ' || c == 0)
            end_word(reader);
        else
            add_letter(reader, c, SMTP_LABEL);
    }
    end_word(reader);
}

static bool is_plain_letter(uint16_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

static size_t read_one(struct reader *reader, size_t i)
{
    bool word = false;
    size_t n = path_length(reader, i), end = recipient_end(reader, i, &word);
    if (n > 0) {
        end_word(reader);
        take_path(reader, i, n);
        return i + n;
    }
    if (end > i) {
        reader->out->doubtful = reader->out->doubtful || word;
        if (word)
            end_word(reader);
        else
            add_sign(reader, '@');
        return end;
    }
    bool begins = !ends_token(reader->text[i]) && (i == 0 || ends_token(reader->text[i - 1]));
    if (begins) {
        struct token token = token_at(reader, i);
        bool taken = takes_token(reader, &token);
        reader->before = token.at;
        reader->before_n = token.n;
        if (taken) {
            end_word(reader);
            reader->punctuated = true;
            return i + token.n;
        }
    }
    add_character(reader, i);
    return i + 1;
}

void smtp_words_of(struct slice text, enum smtp_charset charset,
                   const struct smtp_address *recipient, const struct smtp_address *sender,
                   struct smtp_words *out)
{
    struct reader reader;
    if (text.n > SMTP_TEXT_KEPT)
        text.n = SMTP_TEXT_KEPT;
    reader.n = smtp_decode(charset, text, reader.text);
    reader.recipient = recipient;
    reader.sender = sender;
    reader.out = out;
    reader.in_word = false;
    reader.punctuated = false;
    reader.before = reader.before_n = reader.hosts_n = 0;
    out->text_n = out->n = out->statuses_n = 0;
    out->doubtful = out->names_sender = false;
    for (size_t i = 0; i < reader.n;) {
        if (reader.in_word && is_plain_letter(reader.text[i]))
            add_letter(&reader, smtp_address_key(reader.text[i++]), 0); /* nothing begins here */
        else
            i = read_one(&reader, i);
    }
    for (size_t i = 0; i < reader.hosts_n; i++)
        add_labels(&reader, reader.hosts[i].at, reader.hosts[i].n);
    end_word(&reader);
    out->text[out->text_n] = '\0';
}
