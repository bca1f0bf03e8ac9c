// The last look before an object comes to be: a worker that was stopped in the middle of its
// upload, and has lost the run, leaves nothing.
import { pipeline, type Readable, Transform } from 'node:stream'

/**
 * The same bytes, but its end comes only once `confirm` resolves; a rejection is the stream's
 * error. Errors of the source pass as they are.
 */
export function confirmAtEnd(source: Readable, confirm: () => Promise<void>): Readable {
  const confirmed = new Transform({
    transform: (chunk, _encoding, done) => done(null, chunk),
    flush: (done) => void confirm().then(() => done(), done),
  })
  // Either one that breaks takes the other with it.
  pipeline(source, confirmed, () => undefined)
  return confirmed
}
