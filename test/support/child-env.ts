// The environment of a process that a test starts.

/**
 * These variables, and the folder of the code that Node compiled before: without it each process
 * compiles the whole program again.
 */
export function childEnv(env: Readonly<Record<string, string>>): Record<string, string> {
  const cache = process.env.NODE_COMPILE_CACHE
  return cache === undefined ? { ...env } : { NODE_COMPILE_CACHE: cache, ...env }
}
