// The ground that measures stand on: the embedded parts, the gateway and the peers, each in a process of its own, so that what is
// measured is not slowed by what measures.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { spawnGateway } from '../sandbox/gateway.ts'
import { openObjectStore } from '../sandbox/objects.ts'
import { openPostgres } from '../sandbox/postgres.ts'
import { openPresenton, paces } from '../sandbox/presenton/stand-in.ts'
import { createSecretSigner } from '../sandbox/tokens.ts'
import { openMetronome } from './metronome.ts'

export type Ground = Awaited<ReturnType<typeof openGround>>

export async function openGround({ beats, everyMs }: { beats: number; everyMs: number }) {
  const [postgres, objects, presenton] = await Promise.all([
    openPostgres({ durable: true }),
    openObjectStore(),
    openPresenton({ shape: 'B1', pace: paces.fast }),
  ])
  const metronome = await openMetronome({ upstream: presenton.url, beats, everyMs })
  const signer = createSecretSigner()
  const variables = {
    ...objects.env,
    ...signer.env,
    PRESENTON_URL: metronome.url,
    LOG_LEVEL: 'warn',
    QUOTA_PER_HOUR: '0',
    QUOTA_PER_DAY: '0',
    MAX_QUEUED: '1000000',
    MAX_QUEUED_PER_USER: '1000000',
    MAX_RUNNING: '100',
    MAX_RUNNING_PER_USER: '100',
    MAX_STREAMS_PER_USER: '100000',
    RATE_LIMIT_PER_MINUTE: '1000000',
  }
  const gateway = await spawnGateway({ ...variables, DATABASE_URL: await postgres.createDatabase('gateway') })
  // What is taken in here is not worked on: else the work would be measured with the taking in.
  const intake = await spawnGateway({ ...variables, DATABASE_URL: await postgres.createDatabase('intake'), WORKER: 'false' })
  const peers = await spawnPeers({ UPSTREAM: metronome.url, DATABASE_URL: await postgres.createDatabase('bare') })
  return {
    gateway: gateway.url,
    intake: intake.url,
    peers: peers.url,
    token: await signer.sign({ sub: 'bench' }),
    async close() {
      peers.kill()
      await Promise.all([gateway.kill(), intake.kill()])
      await metronome.close()
      await presenton.close()
      await objects.close()
      await postgres.close()
    },
  }
}

async function spawnPeers(env: Record<string, string>) {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL('./peers.ts', import.meta.url))], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', (line) => resolve((JSON.parse(line) as { address: string }).address))
    child.once('exit', () => reject(new Error('the peers ended at their start')))
  })
  return { url, kill: () => child.kill('SIGKILL') }
}
