// The real clamd, for tests on machines that have it (`apt-get install clamav-daemon`). It knows
// one signature, so no database has to be downloaded.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { findFreePort, isPortFree } from './ports.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

export const hasClamd = !spawnSync('clamd', ['--version']).error

/** A file with this text is infected. */
export const signature = 'a-signature-that-only-tests-have'

/** Listens on `port` once it is started. Files over 8 MiB are too large for it. */
export async function createClamd() {
  const folder = openTemporaryFolder('clamd')
  const port = await findFreePort()
  const databases = join(folder.path, 'databases')
  mkdirSync(databases)
  writeFileSync(
    join(databases, 'test.ndb'),
    `Test.Signature:0:*:${Buffer.from(signature).toString('hex')}\n`,
  )
  const config = join(folder.path, 'clamd.conf')
  const settings = [
    `TCPSocket ${port}`,
    'TCPAddr 127.0.0.1',
    `DatabaseDirectory ${databases}`,
    `TemporaryDirectory ${folder.path}`,
    'StreamMaxLength 8M',
    'Foreground yes',
  ]
  writeFileSync(config, `${settings.join('\n')}\n`)
  let running: ReturnType<typeof spawn> | undefined
  const kill = () => running?.kill('SIGKILL')
  process.once('exit', kill)

  /** Like a crash: all its connections are reset. */
  async function stop() {
    const child = running
    running = undefined
    if (!child) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  return {
    port,
    stop,
    async start() {
      const child = spawn('clamd', ['--config-file', config], { stdio: 'ignore' })
      running = child
      for (let attempt = 0; await isPortFree(port); attempt++) {
        if (child.exitCode !== null || attempt === 400)
          throw new Error(`clamd does not listen on ${port}`)
        await delay(25)
      }
    },
    /** It accepts connections, but answers nothing. */
    pause: () => void running?.kill('SIGSTOP'),
    async close() {
      process.off('exit', kill)
      await stop()
      folder.remove()
    },
  }
}
