`default_nettype none
// Performance monitor (iocountovf, iocountinh, iohpmcycles, iohpmctr, iohpmevt): a 63-bit cycle counter and COUNTERS event counters with
// their filters. An event counts three cycles after it happened, a miss four. An overflow sets OF of the counter; where OF was 0 it is
// signalled once (ipsr.pmip). Everything reads 0 and stands still without capabilities.HPM.
module iommu_performance_counters #(
    // Event counters, 1 to 31, and bits of each, 33 to 64 (the specification asks for 32 or more).
    parameter int COUNTERS = 8,
    parameter int COUNTER_W = 64,
    // Derived: bits of an event with its source (iommu_performance_events.v).
    parameter int EVENT_W = 4 + iommu_spec_pkg::EVENT_SOURCE_W
) (
    input  wire                 clk_i,
    input  wire                 rst_i,

    // capabilities.HPM.
    input  wire                 present_i,

    // Registers (iommu_registers.v): address, data, writes of the low and high half, once per access. `rdata_o` is combinational in
    // the address, 0 at addresses of others.
    input  wire [11:0]          reg_address_i,
    input  wire [63:0]          reg_wdata_i,
    input  wire                 write_lo_i,
    input  wire                 write_hi_i,
    output wire [63:0]          rdata_o,

    // Events of this cycle (iommu_performance_events.v).
    input  wire [3*EVENT_W-1:0] events_i,

    // Strobe: an OF bit went from 0 to 1 by counting.
    output wire                 overflow_o
);
  `include "iommu_records.vh"

  // ---- Bus ------------------------------------------------------------------------------------------------------------------------
  localparam [8:0] IOCOUNT = 9'h00B;   // {iocountinh, iocountovf}
  localparam [8:0] CYCLES = 9'h00C;
  localparam [8:0] COUNTER = 9'h00D;
  localparam [8:0] EVENT = 9'h02C;

  wire [8:0]  word = reg_address_i[11:3];
  wire        write_lo = write_lo_i && present_i;
  wire        write_hi = write_hi_i && present_i;
  wire [31:0] lo = reg_wdata_i[31:0];
  wire [31:0] hi = reg_wdata_i[63:32];

  // ---- Cycles, inhibition -----------------------------------------------------------------------------------------------------------
  logic [COUNTERS:0] inhibit_d, inhibit_q;
  logic [63:0]       cycles_d, cycles_q;
  wire [63:0]        cycles_next = {1'b0, cycles_q[62:0]} + 64'd1;
  wire               cycles_count = present_i && !inhibit_q[0];
  wire               cycles_overflow = cycles_count && cycles_next[63];

  always_comb begin
    inhibit_d = inhibit_q;
    if (word == IOCOUNT && write_hi) inhibit_d = hi[COUNTERS:0];
    cycles_d = cycles_q;
    if (cycles_count) cycles_d = {cycles_q[63] || cycles_next[63], cycles_next[62:0]};
    if (word == CYCLES && write_lo) cycles_d[31:0] = lo;
    if (word == CYCLES && write_hi) cycles_d[63:32] = hi;
  end

  // ---- Event counters -----------------------------------------------------------------------------------------------------------------
  wire [COUNTERS:0]   overflow_bits, raised;
  wire [63:0]         counter_word [0:COUNTERS-1];
  wire [63:0]         event_word [0:COUNTERS-1];

  assign overflow_bits[0] = cycles_q[63];
  assign raised[0] = cycles_overflow && !cycles_q[63];

  generate
    for (genvar i = 0; i < COUNTERS; i++) begin : g_counter
      logic [COUNTER_W-1:0] count_d, count_q;
      logic [63:0]          select_d, select_q;   // iohpmevt
      logic                 match_d, match_q;
      wire                  count_here = word == COUNTER + 9'(i);
      wire                  select_here = word == EVENT + 9'(i);
      wire [COUNTER_W:0]    count_next = {1'b0, count_q} + 1'b1;
      wire                  overflow = match_q && count_next[COUNTER_W];
      wire [63:0]           count_word = 64'(count_q);

      // Filter: by device and process (IDT = 0) or by guest and process address space (IDT = 1, events 4, 7 and 8).
      wire [3:0]            wanted = select_q[3:0];
      wire                  by_guest = select_q[62];
      // A cycle late: the events of each place are its own, so that nothing is counted that is not wanted.
      logic [1:0]           group_q;
      wire [EVENT_W-1:0]    seen = events_i[EVENT_W*group_q +: EVENT_W];
      event_source_t        source;
      assign source = seen[iommu_spec_pkg::EVENT_SOURCE_W-1:0];

      wire                  guest_filter_allowed = wanted == iommu_spec_pkg::EVENT_TLB_MISS ||
          wanted == iommu_spec_pkg::EVENT_FIRST_STAGE_WALK || wanted == iommu_spec_pkg::EVENT_SECOND_STAGE_WALK;
      wire                  inner_valid = by_guest ? source.pscv : source.pv;
      wire [19:0]           inner = by_guest ? source.pscid : source.pid;
      wire                  outer_valid = !by_guest || source.gv;
      wire [23:0]           outer = by_guest ? {8'd0, source.gscid} : source.did;
      wire [23:0]           outer_wanted = select_q[59:36];
      // DMASK: the low bits up to and including the first 0 are ignored.
      wire [23:0]           ignored = select_q[15] ? outer_wanted ^ (outer_wanted + 24'd1) : 24'd0;
      wire                  inner_matches = !select_q[60] || (inner_valid && inner == select_q[35:16]);
      wire                  outer_matches = !select_q[61] || (outer_valid && ((outer ^ outer_wanted) & ~ignored) == '0);

      always_comb begin
        match_d = present_i && !inhibit_q[i+1] && wanted != iommu_spec_pkg::EVENT_NONE &&
            seen[EVENT_W-1 -: 4] == wanted && (!by_guest || guest_filter_allowed) && inner_matches && outer_matches;
        count_d = match_q ? count_next[COUNTER_W-1:0] : count_q;
        if (count_here && write_lo) count_d[31:0] = lo;
        if (count_here && write_hi) count_d[COUNTER_W-1:32] = hi[COUNTER_W-33:0];
        // An unknown event is no event.
        select_d = select_q;
        if (select_here && write_lo) select_d[31:0] = {lo[31:15], lo[14:0] > 15'd8 ? 15'd0 : lo[14:0]};
        if (select_here && write_hi) select_d[63:32] = hi;
        if (overflow) select_d[63] = 1'b1;
      end

      always_ff @(posedge clk_i) begin
        count_q <= count_d;
        select_q <= select_d;
        match_q <= match_d;
        group_q <= wanted == iommu_spec_pkg::EVENT_TLB_MISS ? 2'd1 : wanted >= iommu_spec_pkg::EVENT_DIRECTORY_WALK ? 2'd2 : 2'd0;
        if (rst_i) begin
          count_q <= '0;
          select_q <= '0;
          match_q <= 1'b0;
        end
      end

      assign overflow_bits[i+1] = select_q[63];
      assign raised[i+1] = overflow && !select_q[63];
      assign counter_word[i] = count_word;
      assign event_word[i] = select_q;
    end

    if (COUNTERS < 1 || COUNTERS > 31) begin : g_check_counters
      initial $fatal(1, "iommu_performance_counters: COUNTERS must be 1 to 31");
    end
    if (COUNTER_W < 33 || COUNTER_W > 64) begin : g_check_width
      initial $fatal(1, "iommu_performance_counters: COUNTER_W must be 33 to 64");
    end
  endgenerate

  // ---- Read, registers ----------------------------------------------------------------------------------------------------------------
  logic [63:0] rdata;
  logic        overflow_q;

  always_comb begin
    // One of them at most; all of them stay 0 where they are absent.
    rdata = '0;
    if (word == IOCOUNT) begin
      rdata[COUNTERS:0] = overflow_bits;
      rdata[32 +: COUNTERS+1] = inhibit_q;
    end
    rdata = rdata | (cycles_q & {64{word == CYCLES}});
    for (int i = 0; i < COUNTERS; i++) begin
      rdata = rdata | (counter_word[i] & {64{word == COUNTER + 9'(i)}});
      rdata = rdata | (event_word[i] & {64{word == EVENT + 9'(i)}});
    end
  end

  always_ff @(posedge clk_i) begin
    inhibit_q <= inhibit_d;
    cycles_q <= cycles_d;
    overflow_q <= raised != '0;
    if (rst_i) begin
      inhibit_q <= '0;
      cycles_q <= '0;
      overflow_q <= 1'b0;
    end
  end

  assign rdata_o = rdata;
  assign overflow_o = overflow_q;

endmodule
`default_nettype wire
