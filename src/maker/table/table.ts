// Every route of upstream's interface that the maker takes. Without a row a path is 404, or 405
// where it has a row for another method, and upstream is not called.
//
// A class says who answers, and what is checked before:
//   asset   a public file of the interface: needs no session, goes upstream without an account
//   page    a page of the interface: sign-in without a session, goes upstream under the account
//   shared  read-only, of everybody or of the account: goes upstream under the account
//   local   the gateway's own response
//   own     a deck of the user: goes upstream under the account, and comes back under our title
//   deck    lists and changes decks of the user; a handler in decks/
//   paid    costs money, runs a model or a browser; a handler in paid/
//   file    a document or image of the user; a handler in files/
// `ids` says where the ids of decks are. Each must be of a presentation of this user.

import { deckRows } from './decks.ts'
import { fileRows } from './files.ts'
import { localRows } from './local.ts'
import { assets, pages } from './pages.ts'
import { paidRows } from './paid.ts'
import { readOnlyRows } from './read-only.ts'
import type { Row } from './row.ts'

/** All rows. A row whose handler does not exist is no route. */
export const table: readonly Row[] = [
  ...assets,
  ...pages,
  ...readOnlyRows,
  ...deckRows,
  ...localRows,
  ...paidRows,
  ...fileRows,
]
