// Hold: the public face of one entry of a HoldBook.
// It owns nothing but the name.
#include "writeahead/hold.h"

#include <utility>

#include "retention/hold_book.h"

namespace writeahead {

Hold::Hold(std::string name, std::shared_ptr<internal::HoldBook> book)
    : name_(std::move(name)), book_(std::move(book)) {}
Hold::Hold(Hold&&) noexcept = default;
Hold& Hold::operator=(Hold&&) noexcept = default;
Hold::~Hold() = default;

Result<Lsn> Hold::lsn() const { return book_->find(name_); }
Result<void> Hold::advance(Lsn lsn) { return book_->advance(name_, lsn); }
Result<void> Hold::release() { return book_->release(name_); }

}  // namespace writeahead
