// Replaces a generated part of a document: the text between two comments.

/** Throws if `text` has no comments for a part of this name. */
export function replacePart(text: string, name: string, content: string): string {
  const pattern = new RegExp(`(<!-- generated: ${name} -->\\n)[\\s\\S]*?( *<!-- end -->)`)
  if (!pattern.test(text))
    throw new Error(
      `Add the lines "<!-- generated: ${name} -->" and "<!-- end -->" to the document that shows it`,
    )
  return text.replace(pattern, (_, begin: string, end: string) => `${begin}${content}\n${end}`)
}
