// Writes HTML and SVG. Only the literal text of a template is markup; every value in it is escaped,
// so that no text of a policy, a sender or a setting can become a tag.

/** Markup that `html` has made. There is no other way to make one. */
class Html {
  readonly #markup: string

  constructor(markup: string) {
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

export type { Html }

export type HtmlValue = Html | string | number | readonly HtmlValue[]

/**
 * A template tag. A value is text between tags or in a quoted attribute, markup of another
 * template, or a list of these.
 */
export function html(literals: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  // A call that is no tag has no `raw`: its argument could be anything.
  if (!Array.isArray(literals.raw)) throw new TypeError('html is a template tag')
  const parts = literals.map((literal, at) => literal + markupOf(values[at] ?? ''))
  return new Html(parts.join(''))
}

/** Puts `separator` between the values. */
export const joinHtml = (values: readonly HtmlValue[], separator: Html): Html =>
  new Html(values.map(markupOf).join(separator.toString()))

function markupOf(value: HtmlValue): string {
  if (value instanceof Html) return value.toString()
  if (Array.isArray(value)) return value.map(markupOf).join('')
  return escapeText(String(value))
}

/** Control and format characters are replaced: they could hide text or reverse its direction. */
function escapeText(text: string): string {
  // promise: page-escapes-html
  return text.replace(/[&<>"']|\p{Cc}|\p{Cf}/gu, (character) => ENTITIES[character] ?? '\ufffd')
}
const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
