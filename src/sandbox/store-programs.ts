// Starts the server programs of real S3 stores, each with the arguments that it needs.

import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '../objects/calls.ts'
import { findFreePort } from './ports.ts'
import { openTemporaryFolder } from './temporary-folder.ts'

interface Start {
  /** Exists, and is empty at the first start. */
  folder: string
  port: number
  accessKey: string
  secretKey: string
}

interface Command {
  args: string[]
  env?: Record<string, string>
}

const commands: Record<string, (start: Start) => Promise<Command>> = {
  async minio({ folder, port, accessKey, secretKey }) {
    const consoleAddress = `127.0.0.1:${await findFreePort()}`
    return {
      args: [
        ...['server', '--quiet', '--address', `127.0.0.1:${port}`],
        ...['--console-address', consoleAddress, folder],
      ],
      env: {
        MINIO_ROOT_USER: accessKey,
        MINIO_ROOT_PASSWORD: secretKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
      },
    }
  },

  async seaweedfs({ folder, port, accessKey, secretKey }) {
    const keys = join(folder, 'keys.json')
    const credentials = [{ accessKey, secretKey }]
    writeFileSync(
      keys,
      JSON.stringify({ identities: [{ name: 'a', credentials, actions: ['Admin'] }] }),
    )
    const others = ['master', 'volume', 'filer'].flatMap((part) => [
      `-${part}.port`,
      `-${part}.port.grpc`,
    ])
    const ports = [...others, '-s3.port.grpc'].map(async (name) => [name, await findFreePort()])
    return {
      args: [
        ...['server', '-ip', '127.0.0.1', '-dir', folder, '-master.volumeSizeLimitMB', '256'],
        // Each bucket takes seven volumes, and eight are the default.
        ...['-volume.max', '500', '-master.telemetry=false'],
        // Else a removed bucket comes back by itself at the next upload.
        ...['-s3', '-s3.port', String(port), '-s3.config', keys, '-s3.autoCreateBucket=false'],
        // Further servers, on fixed ports.
        ...['-s3.port.iceberg', '0', '-s3.port.lance', '0'],
        ...(await Promise.all(ports)).flat().map(String),
      ],
    }
  },

  async versitygw({ folder, port, accessKey, secretKey }) {
    return {
      args: ['--port', `127.0.0.1:${port}`, 'posix', folder],
      env: { ROOT_ACCESS_KEY: accessKey, ROOT_SECRET_KEY: secretKey },
    }
  },
}

export const isStoreName = (name: string): boolean => Object.hasOwn(commands, name)

export interface StoreProgramOptions {
  /** One that `isStoreName`. */
  name: string
  binary: string
  /** Later runs use this folder again. Without it, all objects are removed at the end. */
  dir: string | undefined
  accessKey: string
  secretKey: string
}

/** Resolves once the server keeps objects. */
export async function startStore({ name, binary, dir, ...keys }: StoreProgramOptions) {
  const temporary = dir === undefined ? openTemporaryFolder(name) : undefined
  const folder = dir ?? join(temporary?.path ?? '', 'store')
  mkdirSync(folder, { recursive: true })
  const port = await findFreePort()
  const command = await commands[name]?.({ folder, port, ...keys })
  if (!command) throw new Error(`${name} is no known store`)
  const child = spawn(binary, command.args, {
    env: { ...process.env, ...command.env },
    cwd: folder,
    stdio: 'ignore',
  })
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(String(code ?? signal)))
    child.once('error', ({ message }) => resolve(message))
  })
  const kill = () => void child.kill('SIGKILL')
  // It has no watchdog, since few runs use it: after `kill -9` of this process it keeps running.
  process.once('exit', kill)
  async function stop() {
    process.off('exit', kill)
    kill()
    await exited
    temporary?.remove()
  }
  let ended: string | undefined
  void exited.then((outcome) => {
    ended = outcome
  })
  for (let attempt = 0; attempt < 600; attempt++) {
    if (ended !== undefined) break
    if (await keepsObjects({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', ...keys }))
      return { port, stop }
    await delay(100)
  }
  await stop()
  throw new Error(ended ? `${name} ended with ${ended}` : `${name} was not ready in a minute`)
}

/** Some servers respond before they can store, so one object goes in and out. */
async function keepsObjects(access: Parameters<typeof createClient>[0]): Promise<boolean> {
  const client = createClient(access)
  try {
    if (!(await client.bucketExists('ready'))) await client.makeBucket('ready', access.region)
    await client.putObject('ready', 'object', 'x')
    await client.removeObject('ready', 'object')
    await client.removeBucket('ready')
    return true
  } catch {
    return false
  }
}
