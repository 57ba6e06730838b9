// SnapshotWriter and SnapshotReader: the two ends of one snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "snapshot_directory.h"
#include "snapshot_format.h"
#include "writeahead/env.h"
#include "writeahead/lsn.h"
#include "writeahead/result.h"

namespace writeahead::index::internal {

/// Writes a snapshot from the beginning to the end. Nothing of it counts before publish().
class SnapshotWriter {
 public:
  [[nodiscard]] static Result<SnapshotWriter> begin(SnapshotDirectory& directory, uint64_t number,
                                                    const SnapshotHeader& header);

  /// A part that is of the moment in which everything below `position` was taken in.
  [[nodiscard]] Result<void> add(const ContentsPart& part, Lsn position);
  /// Makes it durable, under its name. Returns its bytes.
  [[nodiscard]] Result<uint64_t> publish(const RecordMark& last, uint64_t truncations);

  [[nodiscard]] const SnapshotTrailer& trailer() const { return trailer_; }

 private:
  SnapshotWriter(SnapshotDirectory& directory, uint64_t number, std::unique_ptr<File> file)
      : directory_(&directory), number_(number), file_(std::move(file)) {}
  [[nodiscard]] Result<void> append(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> flush();

  SnapshotDirectory* directory_;
  uint64_t number_;
  std::unique_ptr<File> file_;
  std::vector<std::byte> pending_;
  uint64_t written_ = 0;
  uint64_t seed_ = 0;
  SnapshotTrailer trailer_;
};

/// Reads a snapshot. What it hands out was verified: `corruption` else.
class SnapshotReader {
 public:
  /// Reads header and trailer.
  [[nodiscard]] static Result<SnapshotReader> open(SnapshotDirectory& directory, uint64_t number);

  [[nodiscard]] const SnapshotHeader& header() const { return header_; }
  [[nodiscard]] const SnapshotTrailer& trailer() const { return trailer_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }

  /// A part, or false behind the last one.
  [[nodiscard]] Result<bool> next(PartHeader& part, std::vector<std::byte>& bytes);
  [[nodiscard]] Error damage(std::string_view cause) const;

 private:
  SnapshotReader(std::unique_ptr<File> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}
  [[nodiscard]] Result<void> load(uint64_t offset, std::span<std::byte> out);

  std::unique_ptr<File> file_;
  std::string path_;
  SnapshotHeader header_;
  SnapshotTrailer trailer_;
  uint64_t bytes_ = 0;
  uint64_t seed_ = 0;
  uint64_t offset_ = kSnapshotHeaderBytes;
  uint64_t parts_ = 0;
};

}  // namespace writeahead::index::internal
