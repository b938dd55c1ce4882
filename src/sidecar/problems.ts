// What is wrong, in sentences for the page and for `status`: what happened and what to do.

export interface Problems {
  settingErrors: readonly string[]
  policyErrors: readonly string[]
  /**
   * What the sidecar cannot do with the data directory, such as `wipe the data directory (EIO)`.
   */
  cannot: string | undefined
  isRefusing: boolean
  isCollectorUnavailable: boolean
}

export function problemSentences(problems: Problems): string[] {
  const { settingErrors, policyErrors, cannot, isRefusing, isCollectorUnavailable } = problems
  const sentences = [
    ...settingErrors,
    ...policyErrors.map((error) => `Nothing is kept or sent, because of the policy: ${error}`),
  ]
  if (cannot !== undefined)
    sentences.push(
      `Nothing is kept or sent: the sidecar cannot ${cannot}. Check USAGE_DATA_DIR. The sidecar retries every 5 seconds.`,
    )
  if (isRefusing)
    sentences.push(
      'The last spans were not kept: the queue is full or the disk cannot be written. The application is asked to send them again.',
    )
  if (isCollectorUnavailable)
    sentences.push(
      'The collector cannot be reached or is busy. Reports stay on disk, and the sidecar retries.',
    )
  return sentences
}
