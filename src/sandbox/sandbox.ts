// The whole outside world and the gateway in it, on one machine: Postgres, object store, token
// issuer, a stand-in for Presenton. Any of them is replaced by a real one when the environment
// names it.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, openGateway } from './gateway.ts'
import { openObjectStore } from './object-store.ts'
import { openPersistentDatabase } from './persistent-database.ts'
import { openPostgres } from './postgres.ts'
import { openStandIn, type Pace, paces, type Shape } from './presenton/stand-in.ts'
import { openTemporaryFolder } from './temporary-folder.ts'
import { createSecretSigner, openTokenIssuer, type Sign } from './tokens.ts'

export interface SandboxOptions {
  /**
   * Data are kept here for the next run; without it they are thrown away. One sandbox at a time.
   */
  folder?: string | undefined
  /** Names the real parts, and any other variable of the gateway. */
  env?: Environment
  shape?: Shape
  pace?: Pace
  /** Where the gateway's log lines go; without it they are kept in `gateway.logs`. */
  logFile?: string
}

export type Sandbox = Awaited<ReturnType<typeof openSandbox>>

export async function openSandbox({
  folder,
  env = {},
  shape = 'B1',
  pace = paces.fast,
  logFile,
}: SandboxOptions = {}) {
  const closing: (() => unknown)[] = []
  async function close() {
    for (let last = closing.pop(); last; last = closing.pop()) await last()
  }
  function opened<T extends { close(): Promise<unknown> }>(part: T): T {
    closing.push(() => part.close())
    return part
  }

  try {
    // What is of this run only. Left over from a killed run, it goes now.
    const scratch = openScratch(folder)
    closing.push(scratch.remove)
    mkdirSync(join(scratch.path, 'app_data'), { recursive: true })

    const postgres = env['DATABASE_URL']
      ? undefined
      : opened(
          await openPostgres(folder === undefined ? {} : { dataDir: join(folder, 'postgres') }),
        )
    const database = postgres && (await openPersistentDatabase(postgres))
    const objects = env['MINIO_ENDPOINT']
      ? undefined
      : opened(await openObjectStore({ dir: join(folder ?? scratch.path, 'objects') }))
    const presenton = env['PRESENTON_URL']
      ? undefined
      : opened(await openStandIn({ shape, pace, appDataDir: join(scratch.path, 'app_data') }))
    const { sign, variables } = await openAuthentication(env, opened)

    const gateway = opened(
      await openGateway(
        {
          // A sandbox that is started ten times in an hour is no abuse.
          ...{ QUOTA_PER_HOUR: '0', QUOTA_PER_DAY: '0' },
          // And Ctrl-C means now, also in the middle of a run; the next sandbox goes on with it.
          ...{ SHUTDOWN_GRACE_SECONDS: '2', DRAIN_SECONDS: '0' },
          ...env,
          ...(database ? { DATABASE_URL: database.url } : {}),
          ...(objects ? objects.env : {}),
          ...(presenton ? { PRESENTON_URL: presenton.url } : {}),
          ...variables,
        },
        logFile === undefined ? {} : { logFile },
      ),
    )
    return { gateway, url: gateway.url, database, postgres, objects, presenton, sign, close }
  } catch (error) {
    await close()
    throw error
  }
}

function openScratch(folder: string | undefined) {
  if (folder === undefined) return openTemporaryFolder('sandbox')
  const path = join(folder, 'run')
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 })
  remove()
  return { path, remove }
}

/** How the gateway checks tokens here, and how to get one. */
async function openAuthentication(
  env: Environment,
  opened: <T extends { close(): Promise<unknown> }>(part: T) => T,
): Promise<{ sign: Sign; variables: Environment }> {
  if (env['AUTH_JWT_SECRET']) {
    const { sign } = createSecretSigner(env['AUTH_JWT_SECRET'])
    return {
      variables: {},
      sign: (claims) =>
        sign({
          iss: env['AUTH_ISSUER'] || undefined,
          aud: env['AUTH_AUDIENCE'] || undefined,
          ...claims,
        }),
    }
  }
  if (env['AUTH_JWKS_URL'] || env['AUTH_JWT_PUBLIC_KEY']) {
    const token = env['SANDBOX_TOKEN']
    if (!token)
      throw new Error(
        'AUTH_JWKS_URL or AUTH_JWT_PUBLIC_KEY is set, so only its owner can sign: give a token in SANDBOX_TOKEN',
      )
    return { variables: {}, sign: () => Promise.resolve(token) }
  }
  const issuer = opened(await openTokenIssuer())
  return { variables: issuer.env, sign: issuer.sign }
}
