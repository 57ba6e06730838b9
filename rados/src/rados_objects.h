// RadosObjects: an ObjectStore that is a pool of a Ceph cluster.
//
// Replication, membership and repair are Ceph's: a change is answered when every OSD of the acting
// set has it on its disk. One connection a cluster and user is shared by all logs of the process.
#pragma once

#include <memory>
#include <rados/librados.hpp>
#include <string>

#include "making_process.h"
#include "rados_address.h"
#include "writeahead/object_store.h"

namespace writeahead::rados {

class RadosObjects final : public ObjectStore {
 public:
  /// Connects, and looks whether the pool keeps enough copies. Codes: `io` (no cluster, no quorum,
  /// not allowed), `not_found` (no such pool), `invalid_argument` (the pool is not safe enough).
  [[nodiscard]] static Result<std::shared_ptr<RadosObjects>> open(const RadosAddress& address);
  ~RadosObjects() override;

  [[nodiscard]] SystemResult<ObjectAnswer> change(const std::string& object,
                                                  const ObjectChange& change) override;
  [[nodiscard]] SystemResult<ObjectView> read(const std::string& object, uint64_t offset,
                                              std::span<std::byte> out) override;
  void notify(const std::string& object) override;
  [[nodiscard]] std::unique_ptr<ObjectWatch> watch(const std::string& object,
                                                   std::function<void()> on_change) override;

 private:
  class Notifier;
  RadosObjects(std::shared_ptr<librados::Rados> cluster, librados::IoCtx pool);

  const std::shared_ptr<librados::Rados> cluster_;
  librados::IoCtx pool_;
  const std::shared_ptr<Notifier> notifier_;
  const MakingProcess process_;
};

}  // namespace writeahead::rados
