`default_nettype none
// DMA engine: copies between local memory and addresses on the link, by descriptors (docs/interfaces.md section 7).
// Reads and writes proceed side by side; statuses come in the order of the descriptors. Posted TLPs, non-posted TLPs and
// completions are three streams to be joined by tlp_transmit_arbiter and fed by tlp_receive_buffer. An operation's status comes after
// its last posted beat was accepted here (and its flushing reads, where asked for, were answered), or after its last read byte
// was accepted by local memory.
// Throughput: a descriptor, a request, a payload beat and a status per cycle; no gap between TLPs or operations.
module dma_engine #(
  // Bits of payload per beat: 128, 256 or 512
  parameter int DATA_W = 256,
  // Read requests in flight, 2..256
  parameter int TAGS = 64,
  // Value of the first tag on the link
  parameter int TAG_BASE = 0,
  // Operations in flight, a power of two
  parameter int OPERATIONS = 128,
  // Size of local memory in bytes, a power of two
  parameter int LOCAL_MEMORY_BYTES = 2097152,
  // Cycles from an accepted local memory read to its data
  parameter int READ_LATENCY = 2,
  // Derived: width of a local memory byte address
  parameter int LOCAL_ADDRESS_W = $clog2(LOCAL_MEMORY_BYTES),
  // Derived: bits of `empty`
  parameter int EMPTY_W = $clog2(DATA_W / 32)
) (
  input  wire                        clk_i,
  input  wire                        rst_i,

  // Function: requester ID; Command Bus Master Enable; Device Control: MPS and MRRS codes 0..5, extended tags, RO, NS, IDO enables
  input  wire  [15:0]                requester_id_i,
  input  wire                        bus_master_enable_i,
  input  wire  [2:0]                 max_payload_i,
  input  wire  [2:0]                 max_read_request_i,
  input  wire                        extended_tag_enable_i,
  input  wire                        enable_relaxed_ordering_i,
  input  wire                        enable_no_snoop_i,
  input  wire                        enable_id_ordering_i,
  // PASID control: {privileged, execute, PASID} enabled
  input  wire  [2:0]                 pasid_enable_i,
  // Completion timeout in cycles, below 2^30; 0 = never
  input  wire  [31:0]                completion_timeout_i,
  // While 1 operations end with status 6, at the next TLP where they have begun
  input  wire                        abort_i,
  // 1: no operation and no tag in use
  output logic                       idle_o,
  // 1: no TLP is on its way to the posted or non-posted stream
  output logic                       quiet_o,

  // Descriptors
  input  wire                        descriptor_valid_i,
  output logic                       descriptor_ready_o,
  input  wire  [511:0]               descriptor_data_i,
  input  wire  [15:0]                descriptor_id_i,

  // Statuses
  output logic                       status_valid_o,
  input  wire                        status_ready_i,
  output logic [15:0]                status_id_o,
  output logic [63:0]                status_cookie_o,
  output logic [7:0]                 status_code_o,
  output logic [24:0]                status_bytes_o,

  // Local memory: write port and read port at any byte address; read data READ_LATENCY cycles after acceptance, in order
  output logic                       local_write_valid_o,
  input  wire                        local_write_ready_i,
  output logic [LOCAL_ADDRESS_W-1:0] local_write_address_o,
  output logic [DATA_W-1:0]          local_write_data_o,
  output logic [DATA_W/8-1:0]        local_write_strobe_o,
  output logic                       local_read_valid_o,
  input  wire                        local_read_ready_i,
  output logic [LOCAL_ADDRESS_W-1:0] local_read_address_o,
  input  wire                        local_read_data_valid_i,
  input  wire  [DATA_W-1:0]          local_read_data_i,

  // Posted stream out
  output logic                       posted_valid_o,
  input  wire                        posted_ready_i,
  output logic                       posted_sop_o,
  output logic                       posted_eop_o,
  output logic [DATA_W-1:0]          posted_data_o,
  output logic [EMPTY_W-1:0]         posted_empty_o,
  output logic [127:0]               posted_hdr_o,
  output logic [31:0]                posted_prefix_o,
  output logic                       posted_prefix_valid_o,

  // Non-posted stream out: one beat per TLP, no payload
  output logic                       nonposted_valid_o,
  input  wire                        nonposted_ready_i,
  output logic [127:0]               nonposted_hdr_o,
  output logic [31:0]                nonposted_prefix_o,
  output logic                       nonposted_prefix_valid_o,

  // Completion stream in
  input  wire                        completion_valid_i,
  output logic                       completion_ready_o,
  input  wire                        completion_sop_i,
  input  wire                        completion_eop_i,
  input  wire  [DATA_W-1:0]          completion_data_i,
  input  wire  [127:0]               completion_hdr_i,
  input  wire                        completion_err_i,

  // Statistics: read request issued, payload beat sent, completion beat taken, unexpected completion dropped, read timed out,
  // a read waits for a tag
  output logic                       stat_read_request_o,
  output logic                       stat_write_beat_o,
  output logic                       stat_completion_beat_o,
  output logic                       stat_unexpected_completion_o,
  output logic                       stat_timeout_o,
  output logic                       stat_tag_wait_o
);

  localparam int OPERATION_W = $clog2(OPERATIONS);
  localparam int TAG_W = $clog2(TAGS);
  localparam int COUNT_W = $clog2(TAGS + 1);
  // Without extended tags only values 0..31 are allowed (PCIe Base, Device Control).
  localparam int SHORT_TAGS = (32 - TAG_BASE < TAGS) ? 32 - TAG_BASE : TAGS;
  localparam int READ_W = OPERATION_W + 64 + LOCAL_ADDRESS_W + 25 + 3 + 1 + 32;
  localparam int WRITE_W = READ_W + 1 + 4;

  logic [3:0] stop_code;
  always_comb begin
    if (abort_i) stop_code = dma_pkg::STATUS_ABORTED;
    else if (!bus_master_enable_i) stop_code = dma_pkg::STATUS_BUS_MASTER_DISABLED;
    else stop_code = dma_pkg::STATUS_SUCCESS;
  end

  // Dispatch.
  logic                       allocate_valid;
  logic                       allocate_ready;
  logic [OPERATION_W-1:0]     allocate_operation;
  logic [63:0]                allocate_cookie;
  logic [24:0]                allocate_length;
  logic                       dispatch_read_valid;
  logic                       dispatch_read_ready;
  logic                       dispatch_write_valid;
  logic                       dispatch_write_ready;
  logic [OPERATION_W-1:0]     dispatch_operation;
  logic [63:0]                dispatch_address;
  logic [LOCAL_ADDRESS_W-1:0] dispatch_local;
  logic [24:0]                dispatch_length;
  logic [2:0]                 dispatch_attributes;
  logic                       dispatch_prefix_valid;
  logic [31:0]                dispatch_prefix;
  logic                       dispatch_flush;
  logic [3:0]                 dispatch_code;

  dma_dispatcher #(
    .OPERATION_W       (OPERATION_W),
    .LOCAL_MEMORY_BYTES(LOCAL_MEMORY_BYTES)
  ) u_dispatcher (
    .enable_id_ordering_i     (enable_id_ordering_i),
    .enable_relaxed_ordering_i(enable_relaxed_ordering_i),
    .enable_no_snoop_i        (enable_no_snoop_i),
    .pasid_enable_i           (pasid_enable_i),
    .stop_code_i              (stop_code),
    .descriptor_valid_i       (descriptor_valid_i),
    .descriptor_ready_o       (descriptor_ready_o),
    .descriptor_data_i        (descriptor_data_i),
    .allocate_valid_o         (allocate_valid),
    .allocate_ready_i         (allocate_ready),
    .allocate_operation_i     (allocate_operation),
    .allocate_cookie_o        (allocate_cookie),
    .allocate_length_o        (allocate_length),
    .read_valid_o             (dispatch_read_valid),
    .read_ready_i             (dispatch_read_ready),
    .write_valid_o            (dispatch_write_valid),
    .write_ready_i            (dispatch_write_ready),
    .operation_o              (dispatch_operation),
    .address_o                (dispatch_address),
    .local_o                  (dispatch_local),
    .length_o                 (dispatch_length),
    .attributes_o             (dispatch_attributes),
    .prefix_valid_o           (dispatch_prefix_valid),
    .prefix_o                 (dispatch_prefix),
    .flush_o                  (dispatch_flush),
    .code_o                   (dispatch_code)
  );

  // Queues between dispatch and requesters, so that neither side waits for the other.
  logic                       read_valid;
  logic                       read_ready;
  logic [OPERATION_W-1:0]     read_operation;
  logic [63:0]                read_address;
  logic [LOCAL_ADDRESS_W-1:0] read_local;
  logic [24:0]                read_length;
  logic [2:0]                 read_attributes;
  logic                       read_prefix_valid;
  logic [31:0]                read_prefix;
  logic                       write_valid;
  logic                       write_ready;
  logic [OPERATION_W-1:0]     write_operation;
  logic [63:0]                write_address;
  logic [LOCAL_ADDRESS_W-1:0] write_local;
  logic [24:0]                write_length;
  logic [2:0]                 write_attributes;
  logic                       write_prefix_valid;
  logic [31:0]                write_prefix;
  logic                       write_flush;
  logic [3:0]                 write_code;
  logic [4:0]                 unused_read_count;
  logic [4:0]                 unused_write_count;

  fifo #(
    .WIDTH(READ_W),
    .DEPTH(16)
  ) u_read_operations (
    .clk_i      (clk_i),
    .rst_i      (rst_i),
    .in_valid_i (dispatch_read_valid),
    .in_ready_o (dispatch_read_ready),
    .in_data_i  ({dispatch_operation, dispatch_address, dispatch_local, dispatch_length, dispatch_attributes,
                  dispatch_prefix_valid, dispatch_prefix}),
    .out_valid_o(read_valid),
    .out_ready_i(read_ready),
    .out_data_o ({read_operation, read_address, read_local, read_length, read_attributes, read_prefix_valid, read_prefix}),
    .count_o    (unused_read_count)
  );

  fifo #(
    .WIDTH(WRITE_W),
    .DEPTH(16)
  ) u_write_operations (
    .clk_i      (clk_i),
    .rst_i      (rst_i),
    .in_valid_i (dispatch_write_valid),
    .in_ready_o (dispatch_write_ready),
    .in_data_i  ({dispatch_operation, dispatch_address, dispatch_local, dispatch_length, dispatch_attributes,
                  dispatch_prefix_valid, dispatch_prefix, dispatch_flush, dispatch_code}),
    .out_valid_o(write_valid),
    .out_ready_i(write_ready),
    .out_data_o ({write_operation, write_address, write_local, write_length, write_attributes, write_prefix_valid, write_prefix,
                  write_flush, write_code}),
    .count_o    (unused_write_count)
  );

  // Read side.
  logic                       chunk_valid;
  logic                       chunk_ready;
  logic [63:0]                chunk_address;
  logic [LOCAL_ADDRESS_W-1:0] chunk_local;
  logic [12:0]                chunk_length;
  logic [24:0]                chunk_offset;
  logic                       chunk_last;
  logic                       chunk_cancelled;
  logic [OPERATION_W-1:0]     chunk_operation;
  logic [2:0]                 chunk_attributes;
  logic                       chunk_prefix_valid;
  logic [31:0]                chunk_prefix;

  dma_chunk_splitter #(
    .LOCAL_ADDRESS_W(LOCAL_ADDRESS_W),
    .META_W         (OPERATION_W + 3 + 1 + 32)
  ) u_read_splitter (
    .clk_i              (clk_i),
    .rst_i              (rst_i),
    .boundary_code_i    (max_read_request_i),
    .cancel_i           (stop_code != 4'd0),
    .operation_valid_i  (read_valid),
    .operation_ready_o  (read_ready),
    .operation_address_i(read_address),
    .operation_local_i  (read_local),
    .operation_length_i (read_length),
    .operation_meta_i   ({read_operation, read_attributes, read_prefix_valid, read_prefix}),
    .chunk_valid_o      (chunk_valid),
    .chunk_ready_i      (chunk_ready),
    .chunk_address_o    (chunk_address),
    .chunk_local_o      (chunk_local),
    .chunk_length_o     (chunk_length),
    .chunk_offset_o     (chunk_offset),
    .chunk_last_o       (chunk_last),
    .chunk_cancelled_o  (chunk_cancelled),
    .chunk_meta_o       ({chunk_operation, chunk_attributes, chunk_prefix_valid, chunk_prefix})
  );

  logic                   flush_valid;
  logic                   flush_ready;
  logic                   flush_request_ready;
  logic                   flush_cancel;
  logic [OPERATION_W-1:0] flush_operation;
  logic [63:0]            flush_address;
  logic [24:0]            flush_offset;
  logic                   flush_prefix_valid;
  logic [31:0]            flush_prefix;

  logic                   tag_valid;
  logic                   tag_ready;
  logic [TAG_W-1:0]       tag;
  logic                   release_valid;
  logic [TAG_W-1:0]       release_tag;
  logic [COUNT_W-1:0]     tags_used;
  logic [COUNT_W-1:0]     tag_limit_q;
  logic [COUNT_W-1:0]     tag_limit;
  logic                   tag_restart;

  // Another tag limit takes effect when no tag is in use and none is being given.
  always_comb begin
    tag_limit = extended_tag_enable_i ? COUNT_W'(TAGS) : COUNT_W'(SHORT_TAGS);
    tag_restart = tag_limit != tag_limit_q && tags_used == '0 && !tag_ready;
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) tag_limit_q <= COUNT_W'(SHORT_TAGS);
    else if (tag_restart) tag_limit_q <= tag_limit;
  end

  dma_tag_allocator #(
    .TAGS(TAGS)
  ) u_tags (
    .clk_i           (clk_i),
    .rst_i           (rst_i),
    .limit_i         (tag_limit_q),
    .restart_i       (tag_restart),
    .allocate_valid_o(tag_valid),
    .allocate_ready_i(tag_ready),
    .allocate_tag_o  (tag),
    .release_valid_i (release_valid),
    .release_tag_i   (release_tag),
    .used_o          (tags_used)
  );

  logic                       issue_valid;
  logic [TAG_W-1:0]           issue_tag;
  logic [OPERATION_W-1:0]     issue_operation;
  logic                       issue_flush;
  logic [LOCAL_ADDRESS_W-1:0] issue_local;
  logic [24:0]                issue_offset;
  logic [6:0]                 issue_lower_address;
  logic [12:0]                issue_length;
  logic [1:0]                 issue_attributes;
  logic                       read_issued_valid;
  logic [OPERATION_W-1:0]     read_issued_operation;
  logic [18:0]                read_issued_requests;
  logic [3:0]                 read_issued_code;
  logic [24:0]                read_issued_offset;

  dma_read_requester #(
    .TAGS           (TAGS),
    .TAG_BASE       (TAG_BASE),
    .OPERATION_W    (OPERATION_W),
    .LOCAL_ADDRESS_W(LOCAL_ADDRESS_W)
  ) u_read_requester (
    .clk_i                 (clk_i),
    .rst_i                 (rst_i),
    .requester_id_i        (requester_id_i),
    .stop_code_i           (stop_code),
    .copy_valid_i          (chunk_valid),
    .copy_ready_o          (chunk_ready),
    .copy_address_i        (chunk_address),
    .copy_local_i          (chunk_local),
    .copy_length_i         (chunk_length),
    .copy_offset_i         (chunk_offset),
    .copy_last_i           (chunk_last),
    .copy_cancelled_i      (chunk_cancelled),
    .copy_operation_i      (chunk_operation),
    .copy_attributes_i     (chunk_attributes),
    .copy_prefix_valid_i   (chunk_prefix_valid),
    .copy_prefix_i         (chunk_prefix),
    .flush_valid_i         (flush_valid && stop_code == 4'd0),
    .flush_ready_o         (flush_request_ready),
    .flush_address_i       (flush_address),
    .flush_offset_i        (flush_offset),
    .flush_operation_i     (flush_operation),
    .flush_prefix_valid_i  (flush_prefix_valid),
    .flush_prefix_i        (flush_prefix),
    .tag_valid_i           (tag_valid),
    .tag_ready_o           (tag_ready),
    .tag_i                 (tag),
    .issue_valid_o         (issue_valid),
    .issue_tag_o           (issue_tag),
    .issue_operation_o     (issue_operation),
    .issue_flush_o         (issue_flush),
    .issue_local_o         (issue_local),
    .issue_offset_o        (issue_offset),
    .issue_lower_address_o (issue_lower_address),
    .issue_length_o        (issue_length),
    .issue_attributes_o    (issue_attributes),
    .issued_valid_o        (read_issued_valid),
    .issued_operation_o    (read_issued_operation),
    .issued_requests_o     (read_issued_requests),
    .issued_code_o         (read_issued_code),
    .issued_offset_o       (read_issued_offset),
    .request_valid_o       (nonposted_valid_o),
    .request_ready_i       (nonposted_ready_i),
    .request_hdr_o         (nonposted_hdr_o),
    .request_prefix_o      (nonposted_prefix_o),
    .request_prefix_valid_o(nonposted_prefix_valid_o)
  );

  logic                   event_valid;
  logic [OPERATION_W-1:0] event_operation;
  logic                   event_finished;
  logic [3:0]             event_code;
  logic [24:0]            event_offset;

  dma_read_completer #(
    .DATA_W         (DATA_W),
    .TAGS           (TAGS),
    .TAG_BASE       (TAG_BASE),
    .OPERATION_W    (OPERATION_W),
    .LOCAL_ADDRESS_W(LOCAL_ADDRESS_W)
  ) u_read_completer (
    .clk_i                (clk_i),
    .rst_i                (rst_i),
    .timeout_i            (completion_timeout_i),
    .requester_id_i       (requester_id_i),
    .issue_valid_i        (issue_valid),
    .issue_tag_i          (issue_tag),
    .issue_operation_i    (issue_operation),
    .issue_flush_i        (issue_flush),
    .issue_local_i        (issue_local),
    .issue_offset_i       (issue_offset),
    .issue_lower_address_i(issue_lower_address),
    .issue_length_i       (issue_length),
    .issue_attributes_i   (issue_attributes),
    .completion_valid_i   (completion_valid_i),
    .completion_ready_o   (completion_ready_o),
    .completion_sop_i     (completion_sop_i),
    .completion_eop_i     (completion_eop_i),
    .completion_data_i    (completion_data_i),
    .completion_hdr_i     (completion_hdr_i),
    .completion_err_i     (completion_err_i),
    .write_valid_o        (local_write_valid_o),
    .write_ready_i        (local_write_ready_i),
    .write_address_o      (local_write_address_o),
    .write_data_o         (local_write_data_o),
    .write_strobe_o       (local_write_strobe_o),
    .release_valid_o      (release_valid),
    .release_tag_o        (release_tag),
    .event_valid_o        (event_valid),
    .event_operation_o    (event_operation),
    .event_finished_o     (event_finished),
    .event_code_o         (event_code),
    .event_offset_o       (event_offset),
    .stat_unexpected_o    (stat_unexpected_completion_o),
    .stat_timeout_o       (stat_timeout_o)
  );

  // While stopped a flush is not sent; its event takes a cycle that the completer leaves free.
  logic                   table_event_valid;
  logic [OPERATION_W-1:0] table_event_operation;
  logic                   table_event_finished;
  logic [3:0]             table_event_code;
  logic [24:0]            table_event_offset;

  always_comb begin
    flush_cancel = flush_valid && stop_code != 4'd0 && !event_valid;
    flush_ready = stop_code != 4'd0 ? flush_cancel : flush_request_ready;
    table_event_valid = event_valid || flush_cancel;
    table_event_operation = flush_cancel ? flush_operation : event_operation;
    table_event_finished = flush_cancel || event_finished;
    table_event_code = flush_cancel ? stop_code : event_code;
    table_event_offset = flush_cancel ? flush_offset : event_offset;
  end

  // Write side.
  logic                   write_side_idle;
  logic                   range_valid;
  logic                   range_ready;
  logic [OPERATION_W-1:0] range_operation;
  logic [63:0]            range_address;
  logic [24:0]            range_length;
  logic                   range_prefix_valid;
  logic [31:0]            range_prefix;
  logic                   write_issued_valid;
  logic [OPERATION_W-1:0] write_issued_operation;
  logic [18:0]            write_issued_requests;
  logic [3:0]             write_issued_code;
  logic [24:0]            write_issued_offset;

  dma_write_requester #(
    .DATA_W         (DATA_W),
    .OPERATION_W    (OPERATION_W),
    .LOCAL_ADDRESS_W(LOCAL_ADDRESS_W),
    .READ_LATENCY   (READ_LATENCY)
  ) u_write_requester (
    .clk_i                   (clk_i),
    .rst_i                   (rst_i),
    .requester_id_i          (requester_id_i),
    .max_payload_i           (max_payload_i),
    .stop_code_i             (stop_code),
    .operation_valid_i       (write_valid),
    .operation_ready_o       (write_ready),
    .operation_i             (write_operation),
    .operation_address_i     (write_address),
    .operation_local_i       (write_local),
    .operation_length_i      (write_length),
    .operation_attributes_i  (write_attributes),
    .operation_prefix_valid_i(write_prefix_valid),
    .operation_prefix_i      (write_prefix),
    .operation_flush_i       (write_flush),
    .operation_code_i        (write_code),
    .read_valid_o            (local_read_valid_o),
    .read_ready_i            (local_read_ready_i),
    .read_address_o          (local_read_address_o),
    .read_data_valid_i       (local_read_data_valid_i),
    .read_data_i             (local_read_data_i),
    .request_valid_o         (posted_valid_o),
    .request_ready_i         (posted_ready_i),
    .request_sop_o           (posted_sop_o),
    .request_eop_o           (posted_eop_o),
    .request_data_o          (posted_data_o),
    .request_empty_o         (posted_empty_o),
    .request_hdr_o           (posted_hdr_o),
    .request_prefix_o        (posted_prefix_o),
    .request_prefix_valid_o  (posted_prefix_valid_o),
    .flush_valid_o           (range_valid),
    .flush_ready_i           (range_ready),
    .flush_operation_o       (range_operation),
    .flush_address_o         (range_address),
    .flush_length_o          (range_length),
    .flush_prefix_valid_o    (range_prefix_valid),
    .flush_prefix_o          (range_prefix),
    .idle_o                  (write_side_idle),
    .issued_valid_o          (write_issued_valid),
    .issued_operation_o      (write_issued_operation),
    .issued_requests_o       (write_issued_requests),
    .issued_code_o           (write_issued_code),
    .issued_offset_o         (write_issued_offset)
  );

  dma_flush_sequencer #(
    .OPERATION_W(OPERATION_W)
  ) u_flush (
    .clk_i               (clk_i),
    .rst_i               (rst_i),
    .range_valid_i       (range_valid),
    .range_ready_o       (range_ready),
    .range_operation_i   (range_operation),
    .range_address_i     (range_address),
    .range_length_i      (range_length),
    .range_prefix_valid_i(range_prefix_valid),
    .range_prefix_i      (range_prefix),
    .flush_valid_o       (flush_valid),
    .flush_ready_i       (flush_ready),
    .flush_operation_o   (flush_operation),
    .flush_address_o     (flush_address),
    .flush_offset_o      (flush_offset),
    .flush_prefix_valid_o(flush_prefix_valid),
    .flush_prefix_o      (flush_prefix)
  );

  logic operations_empty;

  dma_operation_table #(
    .OPERATIONS(OPERATIONS)
  ) u_operations (
    .clk_i                   (clk_i),
    .rst_i                   (rst_i),
    .allocate_valid_i        (allocate_valid),
    .allocate_ready_o        (allocate_ready),
    .allocate_operation_o    (allocate_operation),
    .allocate_id_i           (descriptor_id_i),
    .allocate_cookie_i       (allocate_cookie),
    .allocate_length_i       (allocate_length),
    .read_issued_valid_i     (read_issued_valid),
    .read_issued_operation_i (read_issued_operation),
    .read_issued_requests_i  (read_issued_requests),
    .read_issued_code_i      (read_issued_code),
    .read_issued_offset_i    (read_issued_offset),
    .write_issued_valid_i    (write_issued_valid),
    .write_issued_operation_i(write_issued_operation),
    .write_issued_requests_i (write_issued_requests),
    .write_issued_code_i     (write_issued_code),
    .write_issued_offset_i   (write_issued_offset),
    .event_valid_i           (table_event_valid),
    .event_operation_i       (table_event_operation),
    .event_finished_i        (table_event_finished),
    .event_code_i            (table_event_code),
    .event_offset_i          (table_event_offset),
    .status_valid_o          (status_valid_o),
    .status_ready_i          (status_ready_i),
    .status_id_o             (status_id_o),
    .status_cookie_o         (status_cookie_o),
    .status_code_o           (status_code_o),
    .status_bytes_o          (status_bytes_o),
    .empty_o                 (operations_empty)
  );

  always_comb begin
    idle_o = operations_empty && tags_used == '0;
    quiet_o = write_side_idle && !nonposted_valid_o;
    stat_read_request_o = nonposted_valid_o && nonposted_ready_i;
    stat_write_beat_o = posted_valid_o && posted_ready_i;
    stat_completion_beat_o = completion_valid_i && completion_ready_o;
    stat_tag_wait_o = (chunk_valid || flush_valid) && !tag_valid;
  end

  generate
    if (TAG_BASE + TAGS > 256 || TAG_BASE > 30) begin : g_check_tags
      initial $fatal(1, "dma_engine: TAG_BASE + TAGS must be at most 256 and TAG_BASE at most 30");
    end
  endgenerate

endmodule
`default_nettype wire
