// RecordFormat: how `wal cat` shows a record.
//
// `text` and `length-prefixed` are the inverses of the input formats of `wal append`.
#pragma once

#include <string_view>

#include "output.h"
#include "writeahead/reader.h"

namespace wal {

enum class RecordFormat {
  text,             ///< The payload and a newline.
  json,             ///< One object a line, the payload in base64.
  hex,              ///< A line `<lsn> <ordinal> <type>`, then 16 bytes a row, with ASCII.
  length_prefixed,  ///< A 32-bit little-endian length and the payload.
};

/// Writes one record.
void write_record(Output& out, const writeahead::RecordView& record, RecordFormat format);

}  // namespace wal
