`default_nettype none
// One descriptor ring: start and stop, feeding the engine with fetched descriptors, and the reason why it does not go on.
// A ring slot is one operation for software even when a chain continues it: the id given to the engine says which slot, whether this
// is the last part, and whether to interrupt. A descriptor that cannot be read is reported as an invalid one in its slot, then the
// ring stops.
module descriptor_ring (
  input  wire          clk_i,
  input  wire          rst_i,

  // Registers: enable (global and ring), abort, Bus Master Enable, ring alignment and size valid, log2 slots, consumer index of
  // software in the completion ring
  input  wire          enable_i,
  input  wire          abort_i,
  input  wire          bus_master_enable_i,
  input  wire          setup_valid_i,
  input  wire  [3:0]   ring_log2_i,
  input  wire  [15:0]  completion_head_i,
  output logic [15:0]  head_o,
  output logic         running_o,
  output logic [7:0]   stop_reason_o,
  output logic [3:0]   fetch_code_o,

  // To the fetcher and the recorder: begin at index 0 (only while both are idle); fetcher may not start requests
  output logic         restart_o,
  output logic         fetch_stop_o,
  input  wire          fetch_idle_i,
  input  wire          recorder_idle_i,

  // Fetched descriptors, as in descriptor_fetcher
  input  wire          fetched_valid_i,
  output logic         fetched_ready_o,
  input  wire  [511:0] fetched_data_i,
  input  wire  [15:0]  fetched_index_i,
  input  wire  [3:0]   fetched_code_i,
  input  wire          fetched_continues_i,
  input  wire          fetched_continued_i,

  // To the engine: id = {interrupt, last part, slot[13:0]}
  output logic         descriptor_valid_o,
  input  wire          descriptor_ready_i,
  output logic [511:0] descriptor_data_o,
  output logic [15:0]  descriptor_id_o
);

  logic        running_q;
  logic        failed_q;
  logic [3:0]  fetch_code_q;
  logic [15:0] head_q;
  logic [15:0] size;
  logic        room;
  logic        may_feed;
  logic        feed;
  logic        failed;
  // 1 between the parts of a chain.
  logic        chain_open_q;
  logic        unused_index;

  always_comb begin
    size = 16'd1 << ring_log2_i;
    // Each slot handed over needs its completion record's place.
    room = fetched_continues_i || (head_q - completion_head_i) < size;
    restart_o = enable_i && setup_valid_i && !running_q && fetch_idle_i && recorder_idle_i;
    failed = fetched_code_i != 4'd0;
    // An aborted chain still runs to its end, so that its slot gets a record; the engine ends its parts.
    may_feed = running_q && !failed_q && room && (chain_open_q || (!abort_i && bus_master_enable_i));
    fetch_stop_o = !running_q || failed_q || !bus_master_enable_i || (abort_i && !chain_open_q);

    descriptor_valid_o = fetched_valid_i && may_feed;
    fetched_ready_o = descriptor_ready_i && may_feed;
    // A descriptor that was not read becomes one with the invalid operation code 15, and interrupts.
    descriptor_data_o = failed ? 512'd15 : fetched_data_i;
    descriptor_id_o = {failed || fetched_data_i[13], failed || !fetched_continued_i,
                       fetched_index_i[13:0] & ~(14'h3FFF << ring_log2_i)};
    feed = descriptor_valid_o && descriptor_ready_i;

    head_o = head_q;
    running_o = enable_i && setup_valid_i && !failed_q;
    fetch_code_o = fetch_code_q;
    if (failed_q) stop_reason_o = endpoint_regs_pkg::STOP_REASON_FETCH_FAILED;
    else if (!enable_i) stop_reason_o = endpoint_regs_pkg::STOP_REASON_NOT_ENABLED;
    else if (!setup_valid_i) stop_reason_o = endpoint_regs_pkg::STOP_REASON_BAD_RING;
    else if (abort_i) stop_reason_o = endpoint_regs_pkg::STOP_REASON_ABORTED;
    else if (!bus_master_enable_i) stop_reason_o = endpoint_regs_pkg::STOP_REASON_BUS_MASTER_DISABLED;
    else if (!room && fetched_valid_i) stop_reason_o = endpoint_regs_pkg::STOP_REASON_COMPLETION_RING_FULL;
    else stop_reason_o = endpoint_regs_pkg::STOP_REASON_NONE;
  end

  always_comb unused_index = ^fetched_index_i[15:14];

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      running_q <= 1'b0;
      failed_q <= 1'b0;
      fetch_code_q <= 4'd0;
      head_q <= 16'd0;
      chain_open_q <= 1'b0;
    end else if (restart_o) begin
      running_q <= 1'b1;
      failed_q <= 1'b0;
      fetch_code_q <= 4'd0;
      head_q <= 16'd0;
      chain_open_q <= 1'b0;
    end else begin
      if (!enable_i) begin
        running_q <= 1'b0;
        failed_q <= 1'b0;
      end
      if (feed) begin
        if (!fetched_continues_i) head_q <= head_q + 1'b1;
        chain_open_q <= fetched_continued_i && !failed;
        if (failed) begin
          failed_q <= 1'b1;
          fetch_code_q <= fetched_code_i;
        end
      end
    end
  end

endmodule
`default_nettype wire
