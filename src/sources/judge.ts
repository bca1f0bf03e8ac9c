// Decides what a received file is, and whether it is taken. The content decides; the extension of
// its name matters only for text.

import { fileTypeFromBuffer } from 'file-type'
import { type SourceType, sourceExtensions, sourceTypes } from '../contract/source.ts'
import { Problem } from '../domain/problem.ts'
import { refuseFile } from '../objects/invalid-file.ts'
import type { ReadRange } from '../objects/zip-directory.ts'
import { isCompoundFile, isEncryptedOffice } from './compound-file.ts'
import {
  checkOfficeFile,
  orUndefined,
  readOfficeEntries,
  recognizeOfficeFile,
} from './office-file.ts'
import { isEncryptedPdf } from './pdf-encryption.ts'
import type { TextVerdict } from './text-check.ts'

export interface ReceivedFile {
  /** The first bytes, at least 64 KiB of a larger file. */
  head: Buffer
  sizeBytes: number
  /** Throws InvalidFile for a range outside of the file. */
  read: ReadRange
  text: TextVerdict
  /** In lower case, without its dot. */
  extension: string
}

const textTypes: Record<string, SourceType | undefined> = {
  '': 'text/plain',
  txt: 'text/plain',
  md: 'text/markdown',
  markdown: 'text/markdown',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
}

const officeTypes: Record<string, SourceType | undefined> = Object.fromEntries(
  sourceTypes
    .filter((type) => type.includes('openxmlformats') || type.includes('opendocument'))
    .map((type) => [sourceExtensions[type], type]),
)

const headBytes = 64 * 1024
const zipSignature = Buffer.from('504b0304', 'hex')

/**
 * The content type.
 *
 * @throws Problem UNSUPPORTED_MEDIA_TYPE; InvalidFile for a file of a known type that cannot be
 * used
 */
export async function judgeFile(file: ReceivedFile): Promise<SourceType> {
  const { head, read, text, extension } = file
  if (text.hasMark) {
    return text.isText ? (textTypes[extension] ?? 'text/plain') : refuseType()
  }
  if (isArchive(head)) return judgeArchive(file)
  if (isCompoundFile(head)) {
    if (await isEncryptedOffice(read)) refuseFile('is encrypted')
    return refuseType()
  }
  const recognized = await recognize(head)
  const type = asSourceType(recognized)
  if (type === 'application/pdf' && (await isEncryptedPdf(file))) refuseFile('is encrypted')
  if (type) return type
  const textType = textTypes[extension]
  // A text may begin like a file of another kind: "BM", as in BMW, begins a bitmap.
  const isOther = recognized !== undefined && text.hasControls
  return textType && text.isText && !isOther ? textType : refuseType()
}

/**
 * What the file seems to be before the whole of it has arrived.
 *
 * @throws Problem UNSUPPORTED_MEDIA_TYPE when it can never be taken
 */
export async function guessType(
  head: Buffer,
  { extension, text }: Pick<ReceivedFile, 'extension' | 'text'>,
): Promise<SourceType | undefined> {
  const textType = textTypes[extension]
  if (text.hasMark) return text.isText ? (textType ?? 'text/plain') : refuseType()
  const type = asSourceType(await recognize(head))
  if (type) return type
  if (isArchive(head)) return officeTypes[extension]
  if (isCompoundFile(head)) return undefined
  return textType && text.isText ? textType : refuseType()
}

const isArchive = (head: Buffer) => head.subarray(0, zipSignature.length).equals(zipSignature)

async function judgeArchive(file: ReceivedFile): Promise<SourceType> {
  const entries = await orUndefined(readOfficeEntries(file))
  const type = entries
    ? asSourceType(await recognizeOfficeFile(entries, file))
    : asSourceType(await recognize(file.head))
  if (entries && type) {
    await checkOfficeFile(entries, file)
    return type
  }
  // Throws with the reason.
  if (type || officeTypes[file.extension]) await readOfficeEntries(file)
  return refuseType()
}

async function recognize(head: Buffer): Promise<string | undefined> {
  return (await fileTypeFromBuffer(head.subarray(0, headBytes)))?.mime
}

/** The types of file-type that have another name here. */
const aliases: Record<string, SourceType> = {
  'image/apng': 'image/png',
  'text/rtf': 'application/rtf',
}

function asSourceType(mime: string | undefined): SourceType | undefined {
  return sourceTypes.find((type) => type === mime) ?? aliases[mime ?? '']
}

function refuseType(): never {
  throw new Problem('UNSUPPORTED_MEDIA_TYPE', {
    errors: [{ path: '', message: 'is of a type that is not supported' }],
  })
}
