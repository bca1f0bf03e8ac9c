// Real reverse proxies with a given configuration, for tests on machines that have them: nginx,
// HAProxy, Caddy and Envoy, found in PATH.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isPortFree } from './ports.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

export type ProxyName = keyof typeof proxies

interface ProxyKind {
  versionArgs: string[]
  configFile: string
  /** Runs in the foreground. */
  args: (configFile: string, folder: string) => string[]
}

const proxies = {
  nginx: {
    versionArgs: ['-v'],
    configFile: 'nginx.conf',
    args: (file, folder) => [
      ...['-p', folder, '-e', join(folder, 'error.log')],
      ...['-c', file, '-g', 'daemon off;'],
    ],
  },
  haproxy: {
    versionArgs: ['-v'],
    configFile: 'haproxy.cfg',
    args: (file) => ['-db', '-f', file],
  },
  caddy: {
    versionArgs: ['version'],
    configFile: 'Caddyfile',
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
  envoy: {
    versionArgs: ['--version'],
    configFile: 'envoy.json',
    // Without these, all Envoys of a machine share one memory segment.
    args: (file) => ['--use-dynamic-base-id', '--concurrency', '1', '-l', 'warn', '-c', file],
  },
} as const satisfies Record<string, ProxyKind>

export const hasProxy = (name: ProxyName) => !spawnSync(name, proxies[name].versionArgs).error

/**
 * Resolves once the proxy listens on `port`, which the configuration must name. `{folder}` in the
 * configuration is replaced by a temporary folder.
 */
export async function openProxy(
  name: ProxyName,
  { config, port }: { config: string; port: number },
) {
  const kind: ProxyKind = proxies[name]
  const folder = openTemporaryFolder(name)
  const file = join(folder.path, kind.configFile)
  writeFileSync(file, config.replaceAll('{folder}', folder.path))
  const child = spawn(name, kind.args(file, folder.path), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, XDG_CONFIG_HOME: folder.path, XDG_DATA_HOME: folder.path },
  })
  let stderr = ''
  child.stderr.on('data', (bytes: Buffer) => (stderr = (stderr + bytes).slice(-10_000)))
  const exited = once(child, 'exit')
  const kill = () => child.kill('SIGTERM')
  process.once('exit', kill)

  async function close() {
    process.off('exit', kill)
    kill()
    if (child.exitCode === null) await exited
    folder.remove()
  }

  for (let attempt = 0; await isPortFree(port); attempt++) {
    if (child.exitCode === null && attempt < 400) await delay(25)
    else {
      await close()
      throw new Error(`${name} does not listen on ${port}:\n${stderr}`)
    }
  }
  return { url: `http://127.0.0.1:${port}`, close }
}
