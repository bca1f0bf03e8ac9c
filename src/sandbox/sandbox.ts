// The gateway and everything around it on one machine: Postgres, an object store, a token issuer
// and a stand-in for Presenton. Environment variables replace any of them by a real one.

import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, type Gateway, openGateway } from './gateway.ts'
import { openLoginPage } from './login-page.ts'
import { openObjectStore } from './object-store.ts'
import { openPersistentDatabase } from './persistent-database.ts'
import { openPostgres } from './postgres.ts'
import { openStandIn, type Pace, paces, type Shape } from './presenton/stand-in.ts'
import { openTemporaryFolder } from './temporary-folder.ts'
import { createSecretSigner, openTokenIssuer, type Sign } from './tokens.ts'

/** Who the sandbox's own presentation belongs to, and who signs in to the page. */
export const sandboxUser = 'sandbox-user'

export interface SandboxOptions {
  /**
   * Keeps the data for later runs; only one sandbox at a time may use it. Without it, all data are
   * removed at the end.
   */
  folder?: string | undefined
  /** Names real parts, and sets any other variable of the gateway. */
  env?: Environment
  shape?: Shape
  pace?: Pace
  /** Switches the slide maker on, with an account of upstream for each user. */
  maker?: boolean
  /** The file for the gateway's log lines. Without it they are kept in `gateway.logs`. */
  logFile?: string
}

export type Sandbox = Awaited<ReturnType<typeof openSandbox>>

interface Closable {
  close(): Promise<unknown>
}

export async function openSandbox({
  folder,
  env = {},
  shape = 'B1',
  pace = paces.fast,
  maker = false,
  logFile,
}: SandboxOptions = {}) {
  const closing: (() => unknown)[] = []
  async function close() {
    for (let closePart = closing.pop(); closePart; closePart = closing.pop()) await closePart()
  }
  function closeAtEnd<T extends Closable>(part: T): T {
    closing.push(() => part.close())
    return part
  }

  try {
    const runFolder = openRunFolder(folder)
    closing.push(runFolder.remove)
    const appDataDir = join(runFolder.path, 'app_data')
    mkdirSync(appDataDir, { recursive: true })

    const postgres = env['DATABASE_URL']
      ? undefined
      : closeAtEnd(
          await openPostgres(folder === undefined ? {} : { dataDir: join(folder, 'postgres') }),
        )
    const database = postgres && (await openPersistentDatabase(postgres))
    const objects = env['MINIO_ENDPOINT']
      ? undefined
      : closeAtEnd(await openObjectStore({ dir: join(folder ?? runFolder.path, 'objects') }))
    const credentials = maker
      ? {
          username: env['PRESENTON_USERNAME'] || 'admin',
          password: env['PRESENTON_PASSWORD'] || 'password of the sandbox',
        }
      : undefined
    const standIn = env['PRESENTON_URL']
      ? undefined
      : closeAtEnd(await openStandIn({ shape, pace, appDataDir, credentials }))
    const { sign, variables } = await openAuthentication(env, closeAtEnd)
    const loginPage = env['AUTH_LOGIN_URL']
      ? undefined
      : closeAtEnd(await openLoginPage({ sign, sub: sandboxUser, gatewayUrl: () => gateway.url }))

    const gateway: Gateway = closeAtEnd(
      await openGateway(
        {
          // A sandbox that is started ten times in an hour is not abuse.
          QUOTA_PER_HOUR: '0',
          QUOTA_PER_DAY: '0',
          // Ctrl-C ends the sandbox at once, also during a run. The next sandbox continues the run.
          SHUTDOWN_GRACE_SECONDS: '2',
          DRAIN_SECONDS: '0',
          AUTH_LOGIN_URL: loginPage?.url,
          // Webhooks can be tried, with receivers on this machine.
          WEBHOOK_SECRET_KEY: Buffer.alloc(32, 'sandbox').toString('base64'),
          WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8',
          ...(maker && makerVariables({ signInUrl: loginPage?.makerUrl, credentials, standIn })),
          ...env,
          ...(database ? { DATABASE_URL: database.url } : {}),
          ...(objects ? objects.env : {}),
          ...(standIn ? { PRESENTON_URL: standIn.url } : {}),
          ...variables,
        },
        logFile === undefined ? {} : { logFile },
      ),
    )
    const { url, makerUrl } = gateway
    return { gateway, url, makerUrl, database, postgres, objects, standIn, sign, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** A folder for the data of this run only. Removes what a killed run left in it. */
function openRunFolder(folder: string | undefined) {
  if (folder === undefined) return openTemporaryFolder('sandbox')
  const path = join(folder, 'run')
  const remove = () => rmSync(path, { recursive: true, force: true, maxRetries: 3 })
  remove()
  return { path, remove }
}

interface MakerParts {
  signInUrl: string | undefined
  credentials: { username: string; password: string } | undefined
  standIn: unknown
}

function makerVariables({ signInUrl, credentials, standIn }: MakerParts): Environment {
  return {
    MAKER_PORT: '0',
    PRESENTON_ACCOUNTS: 'per-user',
    MAKER_SIGN_IN_URL: signInUrl,
    // A real Presenton has an administrator of its own, and keeps the accounts that are made there.
    ...(standIn !== undefined && {
      PRESENTON_USERNAME: credentials?.username,
      PRESENTON_PASSWORD: credentials?.password,
      PRESENTON_ACCOUNT_SECRET: 'for the accounts of a stand-in only',
    }),
  }
}

/** How the gateway checks tokens (`variables`), and how to get one (`sign`). */
async function openAuthentication(
  env: Environment,
  closeAtEnd: <T extends Closable>(part: T) => T,
): Promise<{ sign: Sign; variables: Environment }> {
  if (env['AUTH_JWT_SECRET']) {
    const { sign } = createSecretSigner(env['AUTH_JWT_SECRET'])
    const iss = env['AUTH_ISSUER'] || undefined
    const aud = env['AUTH_AUDIENCE'] || undefined
    return { variables: {}, sign: (claims) => sign({ iss, aud, ...claims }) }
  }
  if (env['AUTH_JWKS_URL'] || env['AUTH_JWT_PUBLIC_KEY']) {
    const token = env['SANDBOX_TOKEN']
    if (!token)
      throw new Error(
        'The sandbox cannot sign tokens for AUTH_JWKS_URL or AUTH_JWT_PUBLIC_KEY. Set SANDBOX_TOKEN to a valid token.',
      )
    return { variables: {}, sign: () => Promise.resolve(token) }
  }
  const issuer = closeAtEnd(await openTokenIssuer())
  // The embedded issuer is on this machine, where no proxy leads.
  return { variables: { ...issuer.env, http_proxy: '' }, sign: issuer.sign }
}
