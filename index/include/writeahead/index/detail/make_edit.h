// make_edit: one edit of an extractor, made in entries of either kind.
// Both kinds have put(id, lsn), erase(id) and erase(id, lsn).
#pragma once

#include <cstddef>

#include "writeahead/index/id_edits.h"
#include "writeahead/lsn.h"

namespace writeahead::index::internal {

/// An edit that was put off, with the record that made it.
template <class Id>
struct DeferredEdit {
  IdEdit<Id> edit;
  Lsn record;
  size_t number = 0;  ///< Grows in the order in which they are to be made.
};

template <class Entries, class Id>
void make_edit(Entries& entries, const IdEdit<Id>& edit, Lsn record) {
  switch (edit.kind) {
    case IdEdit<Id>::Kind::put:
      return entries.put(edit.id, record);
    case IdEdit<Id>::Kind::erase:
      return entries.erase(edit.id);
    case IdEdit<Id>::Kind::erase_one:
      return entries.erase(edit.id, edit.lsn);
  }
}

}  // namespace writeahead::index::internal
