// The release notes: one section of CHANGELOG.md, and the digests of the images.

export interface Section {
  /** What is in the parentheses of the heading. */
  date: string
  text: string
}

/** The section `## VERSION (DATE)`. */
export function sectionOf(changelog: string, version: string): Section | undefined {
  const [, ...sections] = changelog.split(/^## /m)
  for (const section of sections) {
    const [heading = '', ...lines] = section.split('\n')
    const [, name, date = ''] = /^(\S+)(?: \((.*)\))?$/.exec(heading) ?? []
    if (name === version) return { date, text: lines.join('\n').trim() }
  }
  return undefined
}

/** `images` maps the name of each image to its digest. */
export function releaseNotes({ text }: Section, images: Readonly<Record<string, string>>): string {
  const lines = Object.entries(images).map(([image, digest]) => `- \`${image}@${digest}\``)
  return `${text}\n\n## Images\n\n${lines.join('\n')}\n`
}
