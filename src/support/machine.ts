// What the process knows of its machine.
export interface Machine {
  arch: string
  platform: string
  /** Bytes. `undefined` if there is no limit. */
  memoryLimit: number | undefined
}
