// Lets a stream end only after a confirmation: a worker that was paused during its upload and has
// lost the run completes no object.

import { pipeline, type Readable, Transform } from 'node:stream'

/**
 * The same bytes, but the end comes only once `confirm` resolves. Its rejection is the error of the
 * stream; errors of the source pass unchanged.
 */
export function confirmAtEnd(source: Readable, confirm: () => Promise<void>): Readable {
  const confirmed = new Transform({
    transform: (chunk, _encoding, done) => done(null, chunk),
    flush: (done) => void confirm().then(() => done(), done),
  })
  // An error on either side destroys the other.
  pipeline(source, confirmed, () => undefined)
  return confirmed
}
