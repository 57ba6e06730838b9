// The three tables. Facts that exclude each other by their definition match any row.
// Every change here changes what counts as damage: docs/durability.md has the same rows in words.
#include "recovery/decision.h"

namespace writeahead::internal {
namespace {

// clang-format off: the columns are the table.

// NOLINTBEGIN(readability-identifier-naming): one character a cell keeps the tables readable.
constexpr Pattern N = Pattern::no;
constexpr Pattern Y = Pattern::yes;
constexpr Pattern o = Pattern::any;
// NOLINTEND(readability-identifier-naming)

constexpr auto kRootRules = std::to_array<RootRule>({
    //                              unsup  a  b  diff  used
    {"newer version",              {Y,     o, o, o,    o}, RootVerdict::unsupported},
    // A slot that was copied from another log.
    {"slots of two logs",          {N,     Y, Y, Y,    o}, RootVerdict::corruption},
    {"both slots",                 {N,     Y, Y, N,    o}, RootVerdict::use},
    // A crash tore the slot that was being written, or the medium lost one.
    {"second slot bad",            {N,     Y, N, o,    o}, RootVerdict::use_and_skip},
    {"first slot bad",             {N,     N, Y, o,    o}, RootVerdict::use_and_skip},
    // The root is durable before any segment takes data, so this is no crash.
    {"no root beside data",        {N,     N, N, o,    Y}, RootVerdict::corruption},
    // A creation that a crash cut short, or none yet.
    {"no root, no data",           {N,     N, N, o,    N}, RootVerdict::create},
});

// NOLINTNEXTLINE(readability-identifier-naming): as above.
using V = SegmentVerdict;
constexpr auto kSegmentRules = std::to_array<SegmentRule>({
    //                                 unsup own for zero base mark prov cut
    {"newer version",                {Y,    o,  o,  o,   o,   o,   o,   o}, V::unsupported},
    {"data",                         {N,    Y,  o,  o,   o,   o,   o,   o}, V::data},
    // Renamed, copied, or of another log.
    {"foreign",                      {N,    N,  Y,  o,   o,   o,   o,   o}, V::corruption},
    // A truncation is committed by the root, and its header is durable before any frame behind it.
    {"truncation to be finished",    {N,    N,  N,  o,   N,   N,   N,   Y}, V::begun},
    {"truncation without header",    {N,    N,  N,  o,   Y,   o,   o,   Y}, V::corruption},
    {"truncation, lost beginning",   {N,    N,  N,  o,   N,   Y,   o,   Y}, V::corruption},
    {"truncation that was proven",   {N,    N,  N,  o,   N,   N,   Y,   Y}, V::corruption},
    // A header that was zeroed over a segment in use.
    {"standby that was proven",      {N,    N,  N,  Y,   N,   o,   Y,   N}, V::corruption},
    // Prepared or trimmed. Stale frames of other numbers do not verify for this one; stale frames
    // of this number lie behind no frame at the base only if nothing of it was ever durable.
    {"standby",                      {N,    N,  N,  Y,   N,   o,   N,   N}, V::standby},
    // A damaged header must not make a standby of a full segment.
    {"frames without header",        {N,    N,  N,  Y,   Y,   Y,   o,   N}, V::corruption},
    {"proven without header",        {N,    N,  N,  Y,   Y,   N,   Y,   N}, V::corruption},
    {"damaged header, frames",       {N,    N,  N,  N,   o,   Y,   o,   N}, V::corruption},
    {"damaged header, proven",       {N,    N,  N,  N,   o,   N,   Y,   N}, V::corruption},
    // The crash came into the write that holds the header and the first frame.
    {"first write without header",   {N,    N,  N,  Y,   Y,   N,   N,   N}, V::torn_start},
    {"first write with torn header", {N,    N,  N,  N,   o,   N,   N,   N}, V::torn_start},
});

constexpr auto kTailRules = std::to_array<TailRule>({
    //                              seal ord  wit  prov res
    // A seal is issued only when the next segment has a durable frame: that one is gone.
    {"sealed without successor",   {Y,   o,   o,   o,   o}, TailVerdict::corruption},
    // No crash makes a frame of the present epoch with a gap before it verify at X.
    {"ordinals break",             {N,   Y,   o,   o,   o}, TailVerdict::corruption},
    // A later frame was issued when the bytes at X were durable.
    {"witness behind the break",   {N,   N,   Y,   o,   o}, TailVerdict::corruption},
    // The log was closed, idle or recovered beyond X.
    {"root proves more",           {N,   N,   N,   Y,   o}, TailVerdict::corruption},
    // The crash came into one of the newest frames; nothing acknowledged can be among them.
    {"torn tail",                  {N,   N,   N,   N,   Y}, TailVerdict::torn_tail},
    {"end",                        {N,   N,   N,   N,   N}, TailVerdict::clean},
});

// clang-format on

}  // namespace

std::span<const RootRule> root_rules() { return kRootRules; }
std::span<const SegmentRule> segment_rules() { return kSegmentRules; }
std::span<const TailRule> tail_rules() { return kTailRules; }

}  // namespace writeahead::internal
