`default_nettype none
// Second-level IOTLB: set-associative, block RAM, 4 KiB translations whose first-stage page is 4 KiB too (so that one address names
// one set when it is invalidated). Same key as the first level. A lookup is presented in one cycle and compared in the next.
// IOTINVAL.VMA of single pages clears their set; every other invalidation clears all sets. Both take one cycle.
module iommu_tlb_l2 #(
    // Sets, a power of two, 2 or more; ways per set.
    parameter int SETS = 64,
    parameter int WAYS = 4
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // First cycle: `lookup_i` with a request_t.
    input  wire                                       lookup_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       lookup_request_i,

    // Second cycle, held until the next lookup: the same request; hit and translation_t. No hit unless the access is allowed.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       compare_request_i,
    output wire                                       hit_o,
    output wire [iommu_spec_pkg::TRANSLATION_W-1:0]   translation_o,

    // Fill, ignored unless both page sizes are 4 KiB.
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::TRANSLATION_W-1:0]   fill_translation_i,

    // Invalidation (invalidation_t); wins over a fill in the same cycle.
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i
);
  `include "iommu_records.vh"

  localparam int SET_W = $clog2(SETS);
  localparam int WAY_W = WAYS > 1 ? $clog2(WAYS) : 1;
  localparam int KEY_W = 46 + 52;
  localparam int WORD_W = KEY_W + iommu_spec_pkg::TRANSLATION_W;

  request_t      lookup, compare, fill;
  translation_t  fill_translation;
  invalidation_t invalidation;

  assign lookup = lookup_request_i;
  assign compare = compare_request_i;
  assign fill = fill_request_i;
  assign fill_translation = fill_translation_i;
  assign invalidation = invalidation_i;

  // Set of a page number: its low bits, folded once.
  function [SET_W-1:0] set_of;
    input [2*SET_W-1:0] page;
    begin
      set_of = page[SET_W-1:0] ^ page[2*SET_W-1:SET_W];
    end
  endfunction

  wire [SET_W-1:0] lookup_set = set_of(lookup.iova[12 +: 2*SET_W]);
  wire [SET_W-1:0] fill_set = set_of(fill.iova[12 +: 2*SET_W]);
  wire [SET_W-1:0] invalid_set = set_of(invalidation.vpn[0 +: 2*SET_W]);
  wire [KEY_W-1:0] compare_key = {compare.did, compare.pv, compare.pid, compare.priv, compare.iova[63:12]};
  wire [KEY_W-1:0] fill_key = {fill.did, fill.pv, fill.pid, fill.priv, fill.iova[63:12]};
  wire             compare_exec = !compare.wr && compare.exec;

  wire write_one = fill_i && !invalidate_i && fill_translation.page == iommu_spec_pkg::PAGE_4K &&
      fill_translation.first_page == iommu_spec_pkg::PAGE_4K;
  wire one_set = !invalidation.everything && !invalidation.directory && !invalidation.gvma && invalidation.av &&
      invalidation.vpn_mask == '0;

  logic [WAY_W-1:0] victim_d, victim_q;
  logic [SET_W-1:0] set_q;

  wire [WAYS-1:0]                         match;
  wire [iommu_spec_pkg::TRANSLATION_W-1:0] way_translation [0:WAYS-1];

  generate
    for (genvar i = 0; i < WAYS; i++) begin : g_way
      logic [SETS-1:0]   valid_d, valid_q;
      logic              seen_d, seen_q;
      wire [WORD_W-1:0]  word;
      translation_t      entry;
      wire               write = write_one && victim_q == WAY_W'(i);
      wire [SETS-1:0]    write_set = write ? SETS'(1) << fill_set : '0;
      wire [SETS-1:0]    clear_set = !invalidate_i ? '0 : one_set ? SETS'(1) << invalid_set : '1;

      ram_simple_dual_port #(
          .WIDTH(WORD_W),
          .DEPTH(SETS)
      ) u_words (
          .clk_i          (clk_i),
          .write_i        (write),
          .write_address_i(fill_set),
          .write_data_i   ({fill_key, fill_translation_i}),
          .read_i         (lookup_i),
          .read_address_i (lookup_set),
          .read_data_o    (word)
      );

      assign entry = word[iommu_spec_pkg::TRANSLATION_W-1:0];
      assign way_translation[i] = word[iommu_spec_pkg::TRANSLATION_W-1:0];
      assign match[i] = seen_q && word[WORD_W-1 -: KEY_W] == compare_key &&
          (compare_exec ? entry.x : compare.wr ? entry.w : entry.r) && compare.at == iommu_spec_pkg::AT_UNTRANSLATED;

      // `seen` belongs to the word that was read: a later write or invalidation of its place must not revive or keep it.
      always_comb begin
        valid_d = (valid_q | write_set) & ~clear_set;
        if (lookup_i) seen_d = valid_q[lookup_set] && !write_set[lookup_set] && !clear_set[lookup_set];
        else seen_d = seen_q && !write_set[set_q] && !clear_set[set_q];
      end

      always_ff @(posedge clk_i) begin
        valid_q <= valid_d;
        seen_q <= seen_d;
        if (rst_i) begin
          valid_q <= '0;
          seen_q <= 1'b0;
        end
      end
    end
  endgenerate

  // Two ways may hold the same page after a walk that gained rights; both are true, the lower one answers.
  logic [iommu_spec_pkg::TRANSLATION_W-1:0] selected;

  always_comb begin
    selected = '0;
    for (int i = WAYS - 1; i >= 0; i--) if (match[i]) selected = way_translation[i];
  end

  always_comb begin
    victim_d = victim_q;
    if (write_one) victim_d = victim_q == WAY_W'(WAYS - 1) ? '0 : victim_q + 1'b1;
  end

  always_ff @(posedge clk_i) begin
    victim_q <= victim_d;
    if (lookup_i) set_q <= lookup_set;
    if (rst_i) victim_q <= '0;
  end

  assign hit_o = match != '0;
  assign translation_o = selected;

  generate
    if (SETS < 2 || (SETS & (SETS - 1)) != 0) begin : g_check_sets
      initial $fatal(1, "iommu_tlb_l2: SETS must be a power of two, 2 or more");
    end
  endgenerate

endmodule
`default_nettype wire
