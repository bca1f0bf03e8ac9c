// The environment of a server whose outside services do not exist.

export const secret = 'a secret for tests, longer than 32 bytes'

export const required = {
  DATABASE_URL: 'postgres://user@127.0.0.1:1/none',
  PRESENTON_URL: 'http://presenton.invalid',
  MINIO_ENDPOINT: 'http://minio.invalid',
  MINIO_ACCESS_KEY: 'key',
  MINIO_SECRET_KEY: 'secret',
  AUTH_JWT_SECRET: secret,
}
