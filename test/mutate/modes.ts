// Guards of the change from one mode or policy to the next, and of what consent means at the doors.
import type { GuardTable, Witness } from './guard.ts'

const modes = (name: string): Witness => ({ test: 'test/sidecar/mode-controller.test.ts', name })
const restart = (name: string): Witness => ({ test: 'test/sidecar/pipeline-restart.test.ts', name })
const start = (name: string): Witness => ({
  test: 'test/sidecar/mode-controller-start.test.ts',
  name,
})
const door = (name: string): Witness => ({ test: 'test/sidecar/consent-requests.test.ts', name })
const cancel = (name: string): Witness => ({ test: 'test/send/cancel.test.ts', name })
const off: Witness = { test: 'test/sidecar/pipeline.test.ts', name: 'opens no connection' }
const world: Witness = {
  test: 'test/system/epochs.test.ts',
  name: '^nothing accepted outside',
  env: { USAGE_TEST_RUNS: '400', USAGE_TEST_SEED: '7' },
}

export const modesGuards: GuardTable = {
  'src/sidecar/mode-controller.ts': [
    {
      promise: 'the epoch ends at once',
      text: '    try {\n      endHere()\n    } catch {}\n',
      noticed: modes('^the epoch ends on disk'),
    },
    {
      promise: 'the request in flight is cancelled at once',
      text: 'if (leaving !== undefined) stopSender(leaving)\n',
      noticed: modes('^the epoch ends on disk'),
    },
    {
      promise: 'nothing comes in once a mode has ended',
      text: '    leaving ??= open\n    open = undefined\n',
      instead: '    leaving ??= open\n',
      noticed: world,
    },
    {
      promise: 'what a mode kept is wiped when it has ended',
      text: 'await it.queue.wipe()\n',
      noticed: world,
    },
    {
      promise: 'what an earlier life kept is wiped',
      text: 'if (it === undefined) await options.wipeFolder()\n      else {',
      instead: 'if (it !== undefined) {',
      noticed: world,
    },
    {
      promise: 'an epoch that could not be ended is ended later',
      text: '      endEpoch(folder)\n      await senders\n',
      instead: '      await senders\n',
      noticed: modes('^an epoch that cannot be ended'),
    },
    {
      promise: 'the wipe waits for the last word of the sender',
      text: '      endEpoch(folder)\n      await senders\n',
      instead: '      endEpoch(folder)\n',
      noticed: modes('^the epoch ends on disk'),
    },
    {
      promise: 'a wipe that failed is done again',
      text: '      dirty = true\n      throw error\n',
      instead: '      throw error\n',
      noticed: modes('^a folder that cannot be wiped'),
    },
    {
      promise: 'what failed is tried again',
      text: 'retry = setTimeout(settle, RETRY_MS).unref()\n',
      noticed: modes('^a folder that cannot be wiped'),
    },
    {
      promise: 'a change while another is carried out is not forgotten',
      text: '    wanted = true\n    if',
      instead: '    if (running === undefined) wanted = true\n    if',
      noticed: modes('^a mode that ended while'),
    },
    {
      promise: 'a start in another mode ends the epoch that it finds',
      text: '(readEpoch(folder)?.mode ?? next.mode)',
      instead: 'next.mode',
      noticed: start('^a start that finds'),
    },
    {
      promise: 'a start without an epoch of its mode wipes',
      text: 'return found === undefined',
      instead: 'return false',
      noticed: start('^a start that finds'),
    },
    {
      promise: 'the epoch of another process is not ended',
      text: '      const unlock = options.lockFolder()\n      try',
      instead: '      const unlock = () => undefined\n      try',
      noticed: restart('^is touched by no second'),
    },
    {
      promise: 'what another process keeps is not wiped',
      text: '        unlock = options.lockFolder()\n',
      noticed: restart('^is touched by no second'),
    },
    {
      promise: 'an epoch that ends while the folder is opened is ended at once',
      text: '      ours = true\n',
      noticed: start('^off that comes and goes'),
    },
    {
      promise: 'what ended while the folder was opened is not gone on with',
      text: 'dirty || stopped || readEpoch',
      instead: 'stopped || readEpoch',
      noticed: start('^off that comes and goes'),
    },
    {
      promise: 'an epoch that somebody took away while the folder was opened does not come back',
      text: ' || readEpoch(folder)?.id !== found?.id',
      noticed: start('^an epoch that somebody takes away'),
    },
    {
      promise: 'an epoch that could not begin frees the folder',
      text: '      await close(queue)\n      throw error\n',
      // Referenced, because otherwise the garbage collector would free it as well.
      instead: '      Object.assign(globalThis, { queue })\n      throw error\n',
      noticed: modes('^an epoch that cannot begin'),
    },
    {
      promise: 'a policy that changed while the folder was opened counts',
      text: 'if (goal?.policy !== undefined && goal.policy !== policy) relabel(open, goal.policy)\n',
      noticed: start('^a policy that changes while'),
    },
    {
      promise: 'a request under the old policy is cancelled',
      text: '    stopSender(it)\n    it.ready',
      instead: '    it.ready',
      noticed: start('^the first report waits'),
    },
    {
      promise: 'nothing of the old policy leaves',
      text: 'it.relabelled = it.queue.relabel(policy)\n',
      instead: 'it.relabelled = Promise.resolve()\n',
      noticed: world,
    },
    {
      promise: 'an old policy that could not be dropped is dropped later',
      text: 'if (it.relabelled === relabelled) it.relabelled = undefined\n',
      noticed: world,
    },
    {
      promise: 'the first report waits again under a policy that changed',
      text: 'it.policySince = now()\n',
      noticed: start('^the first report waits'),
    },
    {
      promise: 'the change of a policy outlives the process',
      text: '    try {\n      renew(it)\n    } catch {}\n',
      noticed: start('^the first report waits'),
    },
    {
      promise: 'a policy that changed while nothing ran is a change',
      text: 'if (epoch.policy !== policy) epoch = renewEpoch(folder, epoch, policy, now())\n',
      noticed: start('^the first report waits'),
    },
    {
      promise: 'a clock that was in the future does not silence for ever',
      text: 'Math.min(now(), Math.max(it.epoch.since, it.epoch.policySince))',
      instead: 'Math.max(it.epoch.since, it.epoch.policySince)',
      noticed: start('^the first report waits'),
    },
    {
      promise: 'in mode local there is no sender',
      text: "if (it.epoch.mode === 'local') return\n",
      noticed: world,
    },
    {
      promise: 'the switches are read anew before anything leaves',
      text: '    look()\n    return !stopped',
      instead: '    return !stopped',
      noticed: world,
    },
    {
      promise: 'nothing leaves without a valid policy',
      text: ' && goal?.policy === policy',
      noticed: world,
    },
    {
      promise: 'an epoch that somebody took away is over',
      text: ' && holds(it)',
      noticed: modes('^an epoch that somebody'),
    },
    {
      promise: 'a request that began in another time is discarded',
      text: ' && began > open.since',
      noticed: world,
    },
  ],
  'src/sidecar/pipeline.ts': [
    {
      promise: 'off answers 200 whatever failed',
      text: 'if (refusing) throw error\n',
      instead: 'throw error\n',
      noticed: door('^a request whose spans'),
    },
    {
      promise: 'the disk’s failure is told to the application',
      text: 'if (refusing) throw error\n',
      instead: 'void error\n',
      noticed: door('^a request whose spans'),
    },
    {
      promise: 'off makes no identity',
      text: "if (mode !== 'off') road ??=",
      instead: 'road ??=',
      noticed: off,
    },
    {
      promise: 'the delay of the setting counts',
      text: 'firstSendDelay: config.firstSendDelay',
      instead: 'firstSendDelay: 0',
      noticed: door('^nothing leaves before'),
    },
  ],
  'src/accept/accept.ts': [
    {
      promise: 'a request begins with its head',
      text: 'options.handle(body, began)',
      instead: 'options.handle(body, performance.now())',
      noticed: door('^of a request that began'),
    },
  ],
  'src/send/dial.ts': [
    {
      promise: 'a request that is cancelled sends no rest',
      text: 'else tcp.resetAndDestroy()',
      instead: 'else tcp.destroy()',
      noticed: cancel('plain HTTP, the connection of a request in flight'),
    },
    {
      promise: 'the connection below TLS is reset',
      text: '    tcp = below\n',
      noticed: cancel('TLS, the connection of a request in flight'),
    },
    {
      promise: 'a connection that is not there yet does not come',
      text: 'if (tcp.connecting) tcp.destroy()\n      else',
      noticed: cancel('a connection that is not there yet'),
    },
    {
      promise: 'a request whose connection is given up ends',
      text: "    below.once('close', closed)\n",
      noticed: cancel('TLS, a connection that is not there yet'),
    },
  ],
}
