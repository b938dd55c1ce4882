// The modes of reporting, lowest first.
export type Mode = 'off' | 'local' | 'on'
export const MODES: readonly Mode[] = ['off', 'local', 'on']
