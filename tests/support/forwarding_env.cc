// Opening, where what is opened gets something put in front of it.
#include "support/forwarding_env.h"

namespace writeahead::testing {

SystemResult<std::unique_ptr<File>> ForwardingDirectory::open(std::string_view name,
                                                              OpenFlags flags) {
  auto file = directory_->open(name, flags);
  if (!file) return file;
  return wrap(std::move(*file), name);
}

SystemResult<std::unique_ptr<Directory>> ForwardingDirectory::open_directory(std::string_view name,
                                                                             bool create,
                                                                             uint32_t mode) {
  auto directory = directory_->open_directory(name, create, mode);
  if (!directory) return directory;
  return wrap(std::move(*directory));
}

SystemResult<std::unique_ptr<Directory>> ForwardingEnv::open_directory(const std::string& path,
                                                                       bool create, uint32_t mode) {
  auto directory = env_.open_directory(path, create, mode);
  if (!directory) return directory;
  return wrap(std::move(*directory));
}

}  // namespace writeahead::testing
